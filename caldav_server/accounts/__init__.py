"""Who is who, and how they prove it: accounts, the accounts file, passwords, the throttle of logins, the logins."""
