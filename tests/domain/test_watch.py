from __future__ import annotations

import string
from collections import Counter
from itertools import chain, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.changes import Change, InstructorAssigned, SeatsRose, SectionRetired
from domain.errors import InvalidInputError
from domain.observation import UNASSIGNED, Observation
from domain.watch import ALL_KINDS, NO_ADDRESS, Kind, Watch, checked_address, kind_of, normal_address
from tests.domain.timeline import KEY, TIMELINES, fold, seen, told, wants

ADA = "ada@example.edu"
CHANGES = [
    (SeatsRose(0, 1, 1), Kind.SEAT_AVAILABLE),
    (InstructorAssigned("Grace Hopper", 1), Kind.INSTRUCTOR_ASSIGNED),
    (SectionRetired(1), Kind.SECTION_RETIRED),
]


@pytest.mark.parametrize(("change", "kind"), CHANGES)
def test_a_watch_wants_only_the_kinds_it_asked_for(change: Change, kind: Kind) -> None:
    assert kind_of(change) is kind
    assert wants(Watch(ADA, KEY), change)
    assert wants(Watch(ADA, KEY, (kind,)), change)
    assert not wants(Watch(ADA, KEY, tuple(other for other in ALL_KINDS if other is not kind)), change)


@pytest.mark.parametrize(("before", "after", "min_seats"), list(product(range(5), range(5), range(1, 5))))
def test_seats_are_news_exactly_when_they_rise_to_what_was_asked_for(
    before: int, after: int, min_seats: int
) -> None:
    watch = Watch(ADA, KEY, min_seats=min_seats)
    crosses = before < min_seats and after >= min_seats
    assert wants(watch, SeatsRose(before, after, 1)) is crosses


def test_somebody_who_needs_three_seats_is_told_when_the_third_comes() -> None:
    changes = fold(seen(minute, count) for minute, count in enumerate([0, 1, 2, 3, 4]))[1]
    assert told(Watch(ADA, KEY, min_seats=3), changes) == [(Kind.SEAT_AVAILABLE, 1)]
    assert [change for change in changes if wants(Watch(ADA, KEY, min_seats=3), change)] == [
        SeatsRose(2, 3, 1)
    ]


def test_seats_that_fall_short_and_come_back_are_one_episode_until_none_is_left() -> None:
    counts = [0, 3, 1, 3, 0, 1, 3]
    changes = fold(seen(minute, count) for minute, count in enumerate(counts))[1]
    assert told(Watch(ADA, KEY, min_seats=3), changes) == [(Kind.SEAT_AVAILABLE, 1), (Kind.SEAT_AVAILABLE, 2)]


@given(TIMELINES)
def test_however_observations_come_a_reader_is_told_once_of_each_episode(timeline: list[Observation]) -> None:
    state, changes = fold(timeline)
    wanted = [change for change in changes if wants(Watch(ADA, KEY), change)]
    episodes = Counter((kind_of(change), change.episode) for change in wanted)
    assert all(times == 1 for times in episodes.values())
    assert sorted(episode for kind, episode in episodes if kind is Kind.SEAT_AVAILABLE) == list(
        range(1, state.openings + 1)
    )
    assert sorted(episode for kind, episode in episodes if kind is Kind.INSTRUCTOR_ASSIGNED) == list(
        range(1, state.assignments + 1)
    )


@given(TIMELINES, st.integers(min_value=1, max_value=4))
def test_who_needs_more_seats_is_told_of_no_more_episodes(timeline: list[Observation], needed: int) -> None:
    state, changes = fold(timeline)
    episodes = [episode for _, episode in told(Watch(ADA, KEY, (Kind.SEAT_AVAILABLE,), needed), changes)]
    assert len(episodes) == len(set(episodes)) <= state.openings + 1
    assert episodes == sorted(episodes)


def test_every_order_and_repetition_of_a_short_story_tells_no_episode_twice() -> None:
    story = [seen(0, 0, UNASSIGNED), seen(1, 1, "Ada Lovelace"), seen(2, 0, UNASSIGNED), seen(3, 2, None)]
    repeated = (chain(order, order[::-1]) for order in permutations(story))
    for order in chain(permutations(story), repeated):
        changes = fold(order)[1]
        kinds = [(kind_of(change), change.episode) for change in changes if wants(Watch(ADA, KEY), change)]
        assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("ada@example.edu", "ada@example.edu"),
        ("  Ada@Example.EDU \n", "ada@example.edu"),
        ("ada.lovelace+cse100@mail.example.edu", "ada.lovelace+cse100@mail.example.edu"),
        ("o'neill_2@x-y.example.org", "o'neill_2@x-y.example.org"),
        ("a@b.co", "a@b.co"),
        (f"{'a' * 64}@example.edu", f"{'a' * 64}@example.edu"),
        (f"ada@{'d' * 63}.edu", f"ada@{'d' * 63}.edu"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_a_good_address_has_one_spelling(address: str, normal: str) -> None:
    assert normal_address(address) == normal
    assert normal_address(normal) == normal


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "ada", "@", "ada@", "@example.edu", "ada@example", "ada@localhost", "ada@127.0.0.1"),
        *(
            "ada@@example.edu",
            "ada@b@example.edu",
            ".ada@example.edu",
            "ada.@example.edu",
            "a..b@example.edu",
        ),
        *("ada@-example.edu", "ada@example-.edu", "ada@.edu", "ada@example..edu", "ada@example.edu."),
        *("ada@example.e", "ada@example.1du", "ada lovelace@example.edu", "ada@exam ple.edu"),
        *("Ada <ada@example.edu>", '"ada"@example.edu', "ada@[127.0.0.1]", "ada(x)@example.edu"),
        *(
            "ada,grace@example.edu",
            "ada@example.edu,grace@example.edu",
            "ada@example.edu;x",
            "a:b@example.edu",
        ),
        *(f"{'a' * 65}@example.edu", f"ada@{'d' * 64}.edu", f"ada@{'d.' * 126}edu"),
        f"{'a' * 64}@{'d' * 63}.{'d' * 63}.{'d' * 60}.edu",
    ],
)
def test_what_is_not_an_address_is_refused(address: str) -> None:
    assert normal_address(address) is None


@pytest.mark.parametrize(
    "injected", ["\r\nBcc: all@example.edu", "\nX: y", "\r", "\x00", "\t", "\x0b", "\x85"]
)
def test_nothing_can_be_smuggled_into_a_header(injected: str) -> None:
    assert normal_address(f"ada{injected}@example.edu") is None
    assert normal_address(f"ada@example{injected}.edu") is None
    trailing = normal_address(f"ada@example.edu{injected}")
    assert trailing in {None, ADA}


@pytest.mark.parametrize(
    "address",
    [
        "\u0430da@example.edu",  # a Cyrillic letter that looks like "a"
        "ada@ex\u0430mple.edu",
        "ada\uff20example.edu",  # a full-width @
        "ada@example\u3002edu",  # an ideographic full stop
        "ada\u200b@example.edu",
        "ada@example.edu\u202e",
        "\u212aay@example.edu",  # the Kelvin sign, whose lower case is "k"
        "ad\u0131@example.edu",
        "ad\u0661@example.edu",
    ],
)
def test_letters_that_only_look_like_others_are_refused(address: str) -> None:
    assert normal_address(address) is None


@pytest.mark.parametrize(
    "address", ["=cmd|'/ccalc'!a0+@b.co", "=1+1@b.co", "+ada@example.edu", "-ada@example.edu", " =a@b.co"]
)
def test_what_a_spreadsheet_takes_for_a_formula_is_refused(address: str) -> None:
    assert normal_address(address) is None


_PLAIN = st.text(
    string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=20
).filter(lambda local: local[0] not in "=+-")


@given(_PLAIN, st.from_regex(r"[A-Za-z0-9]{1,20}\.[A-Za-z]{2,10}", fullmatch=True))
def test_case_and_space_around_an_address_make_no_second_person(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    spellings = {normal_address(spelling) for spelling in (address, address.upper(), f"\t{address} ")}
    assert spellings == {address.lower()}


@given(st.text(max_size=40) | st.text(st.sampled_from('aA@.-+ \n\r\x00,;<>"é'), max_size=12))
def test_whatever_is_accepted_is_plain_text_without_space_or_separator(text: str) -> None:
    normal = normal_address(text)
    if normal is not None:
        assert normal.isascii()
        assert normal.isprintable()
        assert normal == normal.lower()
        assert normal.count("@") == 1
        assert normal[0] not in "=+-@"
        assert not set(normal) & set(' ",;:<>()[]\\')


def test_the_names_of_the_kinds_are_those_of_the_header() -> None:
    assert [kind.value for kind in ALL_KINDS] == ["seat_available", "instructor_assigned", "section_retired"]


def test_what_is_no_address_is_refused_by_the_name_of_its_field() -> None:
    assert checked_address("to", " Ada@Example.edu ") == "ada@example.edu"
    for wrong in ("", "nobody", "=cmd@example.edu", "ada@localhost"):
        with pytest.raises(InvalidInputError) as caught:
            checked_address("to", wrong)
        assert caught.value.problems == {"to": NO_ADDRESS}
