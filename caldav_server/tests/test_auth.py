"""Logging in: what is accepted, what it costs, what it never tells (RFC 7617; F21 in its short form)."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caldav_server.accounts import accounts, accounts_file
from caldav_server.accounts.logins.basic import Credentials, parse_basic
from caldav_server.accounts.passwords import Hasher, hash_app_password, is_app_password, is_hash, new_app_password
from caldav_server.accounts.throttle import Attempt, Throttle, network_of
from caldav_server.app import Application
from caldav_server.app import basic as basic_login
from caldav_server.http.messages import Request, Response
from caldav_server.settings import AuthSettings
from protocol.model import Principal, PrincipalKind
from storage import credentials, principals, server_state
from testing.edge import PASSWORD, Edge, FixedBody, basic, headers_of, running


def request_with(authorization: str | None, remote: str = "192.0.2.1", agent: str = "test") -> Request:
    fields = {"User-Agent": agent} | ({} if authorization is None else {"Authorization": authorization})
    return Request("GET", "/dav/", "", headers_of(fields), FixedBody(b""), "id", remote, "http", "h")


async def status_of(app: Application, request: Request) -> int:
    answer = app.login(basic_login).cached_principal(request) or await app.login(basic_login).authenticate(request)
    return answer.status if isinstance(answer, Response) else 200


async def whoami(request: Request) -> Response:
    assert request.principal is not None
    return Response(200, {}, request.principal.name.encode())


async def add_user(edge: Edge, name: str, password: str, **fields: object) -> Principal:
    user = accounts.new_principal(name, **fields)  # type: ignore[arg-type]
    hashed = edge.login.hasher.hash(password)
    await edge.app.services.db.write(lambda tx: accounts.create(tx, user, 0))
    await edge.app.services.db.write(lambda tx: accounts.set_password(tx, user, hashed, 0))
    return user


# -- the header


MALFORMED = [
    *("", "Basic", "Basic ", "Basic !!!", "Basic dXNlcg==", "Basic OnBhc3M=", "Bearer x", "Basic dXNlcjpwYXNz=x"),
    *("Basic \xff", "Digest username=x", "Basic " + "A" * 8192, "basic\tdXNlcjpwYXNz", "Basic AGE6Yg=="),
]


@pytest.mark.parametrize("header", MALFORMED)
async def test_malformed_headers_are_401_with_the_constant_realm(tmp_path: Path, header: str) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        for _ in range(2):  # on a connection that is kept alive, too
            answer = await client.request("PROPFIND", "/dav/", {"Authorization": header}, auth=False)
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == 'Basic realm="Calendar", charset="UTF-8"'
        assert (await client.request("PROPFIND", "/dav/")).status == 200


@given(st.text(min_size=1).filter(lambda t: ":" not in t and "\0" not in t), st.text().filter(lambda t: "\0" not in t))
def test_basic_round_trip(name: str, password: str) -> None:
    try:
        header = basic(name, password)
    except UnicodeEncodeError:
        return
    found = parse_basic(header)
    assert found is not None
    assert found.password == password
    assert found.name.encode() == accounts.normalise(name).encode()


@given(st.text())
def test_any_header_is_read_without_failing(header: str) -> None:
    parse_basic(header)
    parse_basic("Basic " + header)


def test_latin_1_is_understood() -> None:
    assert parse_basic(basic("jos\u00e9", "gr\u00fcn", "latin-1")) == Credentials("jos\u00e9", "gr\u00fcn")


# -- who


async def test_names_addresses_and_spellings(tmp_path: Path) -> None:
    async with running(tmp_path, face=whoami) as edge:
        await add_user(edge, "\u307e\u3060", "p", emails=["mada@example.com"])
        await add_user(edge, "a@b%c", "p")
        await add_user(edge, "jos\u00e9", "p")
        room = accounts.new_principal("room", PrincipalKind.ROOM)
        await edge.app.services.db.write(lambda tx: accounts.create(tx, room, 0))
        client = await edge.connect()

        async def log_in(name: str, password: str = "p") -> bytes | int:
            answer = await client.request("GET", "/dav/", {"Authorization": basic(name, password)}, auth=False)
            return answer.body if answer.status == 200 else answer.status

        assert await log_in("\u307e\u3060") == "\u307e\u3060".encode()
        assert await log_in("MADA@Example.com") == "\u307e\u3060".encode()
        assert await log_in("a@b%c") == b"a@b%c"
        assert await log_in("jose\u0301") == "jos\u00e9".encode()  # decomposed
        assert await log_in("User", PASSWORD) == b"user"
        assert await log_in("room", "") == 401
        assert await log_in("user", "") == 401


# -- remembering


async def test_a_verified_login_costs_no_hash_again_until_the_password_changes(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        client = await edge.connect()
        counters = edge.app.services.metrics.counters
        for _ in range(10):
            assert (await client.request("GET", "/dav/")).status == 200
        assert counters["auth_hashes"] == 1
        assert counters["auth_cache_hits"] == 9
        user = await edge.app.services.db.read(lambda tx: accounts.find(tx, "user"))
        hashed = edge.login.hasher.hash("new")
        await edge.app.services.db.write(lambda tx: accounts.set_password(tx, user, hashed, 0))
        version = await edge.app.services.db.read(server_state.accounts_version)
        assert edge.app.services.login_cache.observe_accounts_version(version)
        assert (await client.request("GET", "/dav/")).status == 401
        assert (await client.request("GET", "/dav/", {"Authorization": basic("user", "new")}, auth=False)).status == 200


async def test_a_password_changed_elsewhere_is_noticed_soon(tmp_path: Path) -> None:
    async with running(tmp_path, {"auth.recheck_seconds": 0.2}) as edge:
        client = await edge.connect()
        assert (await client.request("GET", "/dav/")).status == 200
        user = await edge.app.services.db.read(lambda tx: accounts.find(tx, "user"))
        await edge.app.services.db.write(lambda tx: accounts.remove(tx, user))
        await asyncio.sleep(0.3)
        assert (await client.request("GET", "/dav/")).status == 401


async def test_what_was_looked_up_before_an_announcement_is_not_remembered_after_it(tmp_path: Path) -> None:
    async with running(tmp_path, {"auth.recheck_seconds": 300}) as edge:
        cache, bus = edge.app.services.login_cache, edge.app.services.bus
        assert await status_of(edge.app, request_with(basic())) == 200
        version = await edge.app.services.db.read(server_state.accounts_version)
        bus.announce_accounts(version)
        assert len(cache) == 1  # it is the known version
        generation = cache.generation
        bus.announce_accounts(version + 1)
        assert len(cache) == 0
        assert not cache.is_current()
        cache.remember(cache.digest("late"), None, version, generation)
        assert len(cache) == 0
        assert await status_of(edge.app, request_with(basic())) == 200
        assert len(cache) == 1


async def test_the_memory_of_logins_is_bounded_and_expires(tmp_path: Path) -> None:
    async with running(tmp_path, {"auth.cache_entries": 3, "auth.cache_seconds": 0.2}) as edge:
        for number in range(6):
            await add_user(edge, f"u{number}", "p")
        for number in range(6):
            assert await status_of(edge.app, request_with(basic(f"u{number}", "p"))) == 200
        assert len(edge.app.services.login_cache) == 3
        hashes = edge.app.services.metrics.counters["auth_hashes"]
        await asyncio.sleep(0.25)
        assert await status_of(edge.app, request_with(basic("u5", "p"))) == 200
        assert edge.app.services.metrics.counters["auth_hashes"] == hashes + 1
        assert not any(b"u5" in key or b":p" in key for key in edge.app.services.login_cache._principals)


async def test_requests_at_once_share_one_verification(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        found = await asyncio.gather(*(status_of(edge.app, request_with(basic())) for _ in range(20)))
        assert found == [200] * 20
        assert edge.app.services.metrics.counters["auth_hashes"] == 1


async def test_a_cached_login_is_found_quickly(tmp_path: Path) -> None:
    async with running(tmp_path, {"auth.recheck_seconds": 300}) as edge:
        request = request_with(basic())
        assert await status_of(edge.app, request) == 200
        cached = edge.login.cached_principal
        best = min(_timed(cached, request) for _ in range(5))
        assert best < 50e-6  # about 2 microseconds on a quiet machine; a hash would be 50 or more


def _timed(cached: object, request: Request) -> float:
    started = time.thread_time()
    for _ in range(2000):
        cached(request)  # type: ignore[operator]
    return (time.thread_time() - started) / 2000


# -- app passwords


async def test_app_passwords(tmp_path: Path) -> None:
    async with running(tmp_path, face=whoami) as edge:
        user = await edge.app.services.db.read(lambda tx: accounts.find(tx, "user"))
        made = await edge.app.services.db.write(lambda tx: accounts.add_app_password(tx, user, "phone", 0))
        hashes = edge.app.services.metrics.counters["auth_hashes"]
        for spelling in (made, made.upper(), made.replace("-", " "), made.replace("-", "")):
            assert await status_of(edge.app, request_with(basic("user", spelling))) == 200
        assert edge.app.services.metrics.counters["auth_hashes"] == hashes  # a fast hash is enough for 150 random bits
        other = await add_user(edge, "other", "p")
        assert await status_of(edge.app, request_with(basic("other", made))) == 401
        assert await edge.app.services.db.write(lambda tx: accounts.remove_app_password(tx, user, "phone")) == 1
        assert other.name == "other"
        await asyncio.sleep(0)
        edge.app.services.login_cache._check_at = 0
        assert await status_of(edge.app, request_with(basic("user", made))) == 401


async def test_account_passwords_can_be_switched_off(tmp_path: Path) -> None:
    async with running(tmp_path, {"auth.account_passwords": False}) as edge:
        user = await edge.app.services.db.read(lambda tx: accounts.find(tx, "user"))
        made = await edge.app.services.db.write(lambda tx: accounts.add_app_password(tx, user, "phone", 0))
        assert await status_of(edge.app, request_with(basic())) == 401
        assert await status_of(edge.app, request_with(basic("user", made))) == 200


def test_app_passwords_are_long_and_recognised() -> None:
    made = {new_app_password() for _ in range(100)}
    assert len(made) == 100
    assert all(is_app_password(one) and len(one.replace("-", "")) == 33 for one in made)
    assert not is_app_password("app-short")
    assert hash_app_password("app-ABCDE") == hash_app_password("appabcde")


# -- hashes


def test_hashes_of_other_servers_verify_and_are_renewed() -> None:
    hasher = Hasher(AuthSettings(argon2_memory_kib=64, argon2_time=1))
    foreign = "$5$rounds=1000$saltsalt$YhGS8nwhQyGXjL.1XZe3p9XkdN5aRyBk2jgBGbmQ3l2"
    from passlib.hash import bcrypt, sha256_crypt

    for hashed in (sha256_crypt.using(rounds=1000).hash("p"), bcrypt.using(rounds=4).hash("p")):
        assert hasher.verify(hashed, "p")
        assert not hasher.verify(hashed, "q")
        assert hasher.is_outdated(hashed)
        assert is_hash(hashed)
    assert not hasher.verify(foreign + "x", "p")
    assert not hasher.verify("nonsense", "p")
    assert not hasher.verify("$argon2id$broken", "p")
    assert not is_hash("$6 is what I pay")
    assert hasher.is_outdated(Hasher(AuthSettings(argon2_memory_kib=128, argon2_time=1)).hash("p"))


async def test_an_old_hash_is_renewed_at_login(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        user = await edge.app.services.db.read(lambda tx: accounts.find(tx, "user"))
        old = Hasher(AuthSettings(argon2_memory_kib=128, argon2_time=1)).hash("p")
        await edge.app.services.db.write(lambda tx: accounts.set_password(tx, user, old, 0))
        assert await status_of(edge.app, request_with(basic("user", "p"))) == 200
        file = accounts_file.AccountsFile(user=[accounts_file.UserEntry(name="user")])
        stored = await edge.app.services.db.read(lambda tx: accounts_file.known_hashes(tx, file))
        assert stored["user"] != old
        assert edge.login.hasher.verify(stored["user"], "p")


async def test_a_renewed_hash_never_brings_a_changed_password_back(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        db, user = edge.app.services.db, await edge.app.services.db.read(lambda tx: accounts.find(tx, "user"))
        (old,) = await db.read(lambda tx: credentials.for_principal(tx, user.principal_id))
        await db.write(lambda tx: accounts.set_password(tx, user, "the new hash", 0))
        await db.write(lambda tx: accounts.replace_hash(tx, old, "the old password's hash"))
        stored = await db.read(lambda tx: credentials.for_principal(tx, user.principal_id))
        assert [one.hash for one in stored] == ["the new hash"]


# -- guessing


async def test_guessing_is_slowed_down_without_hashing(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        found = [await status_of(edge.app, request_with(basic("user", f"wrong{n}"))) for n in range(1000)]
        assert found[:5] == [401] * 5
        assert found.count(429) >= 990
        assert edge.app.services.metrics.counters["auth_hashes"] <= 10
        # the same from another network still works, and so does another account
        assert await status_of(edge.app, request_with(basic(), remote="198.51.100.1")) == 200


async def test_guesses_at_once_do_not_slip_through(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        requests = [request_with(basic("user", f"wrong{n}")) for n in range(200)]
        found = await asyncio.gather(*(status_of(edge.app, request) for request in requests))
        assert found.count(401) <= 6
        assert edge.app.services.metrics.counters["auth_hashes"] <= 6


async def test_a_device_that_logged_in_is_not_locked_out_by_its_neighbours(tmp_path: Path) -> None:
    async with running(tmp_path, {"auth.cache_seconds": 0}) as edge:
        phone = request_with(basic(), agent="DAVx5")
        assert await status_of(edge.app, phone) == 200
        for n in range(20):
            await status_of(edge.app, request_with(basic("user", f"wrong{n}"), agent="script"))
        assert await status_of(edge.app, request_with(basic(), agent="script")) == 429
        assert await status_of(edge.app, phone) == 200
        for n in range(20):  # the known device is not a licence to guess
            await status_of(edge.app, request_with(basic("user", f"other{n}"), agent="DAVx5"))
        assert await status_of(edge.app, request_with(basic("user", "last"), agent="DAVx5")) == 429


async def test_an_old_password_on_a_device_is_hashed_once(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        stale = request_with(basic("user", "old"))
        assert [await status_of(edge.app, stale) for _ in range(50)] == [401] * 50
        assert edge.app.services.metrics.counters["auth_hashes"] == 1
        assert await status_of(edge.app, request_with(basic())) == 200


async def test_many_accounts_from_one_network_are_slowed_down(tmp_path: Path) -> None:
    async with running(tmp_path, {"auth.network_failures": 20}) as edge:
        found = [await status_of(edge.app, request_with(basic(f"nobody{n}", "x"))) for n in range(100)]
        assert found.count(429) >= 75
        answer = await edge.login.authenticate(request_with(basic("anybody", "x")))
        assert isinstance(answer, Response)
        assert int(answer.headers["Retry-After"]) >= 1


async def test_nothing_tells_whether_a_name_exists(tmp_path: Path) -> None:
    values: dict[str, object] = {"auth.argon2_memory_kib": 19_456, "auth.argon2_time": 1, "auth.free_failures": 1000}
    async with running(tmp_path, values | {"auth.network_failures": 1000}) as edge:
        known, unknown = [], []
        for n in range(15):
            for name, times in (("user", known), ("nobody", unknown)):
                cpu = time.process_time()
                answer = await edge.login.authenticate(request_with(basic(name, f"x{n}")))
                times.append(time.process_time() - cpu)
                assert isinstance(answer, Response)
                assert (answer.status, answer.body) == (401, b"Please log in.\n")
        ratio = statistics.median(known) / statistics.median(unknown)
        assert 0.8 < ratio < 1.25  # measured over many rounds: within 5 %


async def test_the_loop_stays_free_while_passwords_are_hashed(tmp_path: Path) -> None:
    values: dict[str, object] = {"auth.argon2_memory_kib": 19_456, "auth.argon2_time": 2, "auth.free_failures": 1000}
    async with running(tmp_path, values) as edge:
        logins = [asyncio.create_task(edge.login.authenticate(request_with(basic("user", f"x{n}")))) for n in range(10)]
        everybody, loop = time.process_time(), time.thread_time()
        await asyncio.gather(*logins)
        everybody, loop = time.process_time() - everybody, time.thread_time() - loop
        assert loop < everybody / 5  # in CPU, so that a busy machine does not matter; measured: a fiftieth


# -- the throttle alone


def test_delays_double_up_to_the_limit_and_are_forgotten() -> None:
    throttle = Throttle(AuthSettings(free_failures=3, max_delay_seconds=60))
    now, waits = 0.0, []
    for _ in range(12):
        found = throttle.begin("a", "192.0.2.1", "", now)
        if isinstance(found, float):
            waits.append(found)
            now += found
            assert isinstance(throttle.begin("a", "192.0.2.1", "", now), Attempt)
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] == 60.0
    now += 5000
    assert isinstance(throttle.begin("a", "192.0.2.1", "", now), Attempt)
    assert isinstance(throttle.begin("a", "192.0.2.1", "", now), Attempt)


def test_what_the_throttle_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caldav_server.accounts.throttle.MAX_ENTRIES", 4)
    throttle = Throttle(AuthSettings(free_failures=1))
    for number in range(100):
        attempt = throttle.begin(f"a{number}", f"192.0.{number}.1", "", 0.0)
        assert isinstance(attempt, Attempt)
        if number % 2 == 0:
            throttle.succeed(attempt, 0.0)
    assert len(throttle._failures) == len(throttle._known_devices) == 4
    assert isinstance(throttle.begin("a99", "192.0.99.1", "", 0.0), float)  # the latest is remembered,
    assert isinstance(throttle.begin("a0", "192.0.0.1", "", 0.0), Attempt)  # the oldest is not


def test_what_cannot_be_judged_does_not_count() -> None:
    throttle = Throttle(AuthSettings(free_failures=1))
    for _ in range(10):
        attempt = throttle.begin("a", "192.0.2.1", "", 0.0)
        assert isinstance(attempt, Attempt)
        throttle.abandon(attempt)


def test_networks() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2:3::9%eth0") == "2001:db8:1:2::/64"
    assert network_of("unix") == "unix"


async def test_removed_accounts_leave_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        user = await edge.app.services.db.read(lambda tx: accounts.find(tx, "user"))
        await edge.app.services.db.write(lambda tx: accounts.remove(tx, user))
        assert await edge.app.services.db.read(lambda tx: principals.find_by_name(tx, "user")) is None
        assert await status_of(edge.app, request_with(basic())) == 401
