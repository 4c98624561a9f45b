"""What a process tells its operators: logs, metrics, the times of its database."""
