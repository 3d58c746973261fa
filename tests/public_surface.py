"""Calls of the public surface with whatever can be passed; a walk finds the names, so that new ones are in it.

What may come out of a call: an answer, one of our errors, or ``KeyError`` of a mapping. A call fits its signature; what
does not is Python's to refuse. Left out is what is no matter of values, each with its reason.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from itertools import islice
from types import GeneratorType, ModuleType
from typing import Any, Final

import muniment.domain
import muniment.journal
from muniment import domain as d
from muniment.domain import MunimentError
from muniment.journal import AsyncJournal, Journal

from .strange_values import BY_NAME, ENUMS, NAMES, STRANGE, VALUE_TYPES, past_its_checks

LEFT_OUT: Final = {
    "accept": "a decision's last line, for who writes decisions",
    "event_type": "adds to the catalogue of this process",
    "Catalogue": "is for who writes event types",
    "CATALOGUE": "is for who writes event types",
    "compensation": "rules, looked up by event type",
    "decision": "adds to the names of this process",
    "Metadata.of": "is built without checks, once for every event",
    "ConversationView.of": "copies out of a state",
    "EventName.of": "copies out of a record",
}
"""Public names that are not called, and why."""

NOT_CALLED: Final = {
    "close": "ends the journal that is walked",
    "record_factory": "is the library's",
    "application": "is the library's",
    "planner": "is how commands are carried out",
    "undo_planner": "is how commands are carried out",
    "mapper": "is the library's",
    "table": "is how rows are kept",
    "give": "carries out what a facade asks for",
    "steps": "says what a driver has to do",
}
"""Public attributes of what is walked that are not called, and why."""

RARE: Final = {"verify", "replay", "backup", "export", "import_export", "open", "follow", "project", "catch_up"}
"""What takes long, or a thread."""

OF_THE_PROGRAM: Final = {"argument": "argument", "least": 0, "most": 2**63 - 1}
"""What a program says of a value that it has checked."""

LONGEST_MESSAGE: Final = 5_000
MOST_KEPT: Final = 200


class Walk:
    """Calls public names with drawn values, and judges what comes out.

    Args:
        seed: what is drawn follows from it.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.calls = 0
        self.called: set[str] = set()
        self.answers: list[Any] = []
        self.problems: list[str] = []

    def value(self, name: str, parameter: inspect.Parameter | None = None, strange: float = 0.5) -> Any:
        """Something to pass for a parameter: what it takes, or what nobody would take."""
        drawn = self.random.random()
        if name in OF_THE_PROGRAM:
            return OF_THE_PROGRAM[name]
        if name == "timeout_s" and drawn >= strange:
            # Nobody waits for long here.
            return self.random.choice((0, 0.001))
        if drawn < strange:
            return past_its_checks(self.random.choice(VALUE_TYPES)) if drawn < 0.03 else self.random.choice(STRANGE)()
        if name in BY_NAME and self.random.random() < 0.9:
            return self.random.choice(BY_NAME[name])
        hint = "" if parameter is None else str(parameter.annotation)
        fitting = [each for each in self.answers[-MOST_KEPT // 2 :] if type(each).__name__ in hint]
        if fitting:
            # The last one most often still holds.
            return fitting[-1] if self.random.random() < 0.5 else self.random.choice(fitting)
        for kind in ENUMS:
            if kind.__name__ in hint:
                return self.random.choice(list(kind))
        if "bool" in hint:
            return self.random.random() < 0.5
        if "int" in hint or "float" in hint:
            return self.random.choice((0, 1, 2, 3, 10, 1_000, 60_000))
        if any(each in hint for each in ("Iterable", "Collection", "frozenset", "tuple", "Names")):
            return frozenset(self.random.choice(NAMES) for _ in range(self.random.randrange(4)))
        if "str" in hint or "Identifier" in hint or "Text" in hint:
            return self.random.choice(NAMES)
        return self.random.choice(self.answers) if self.answers else self.random.choice(NAMES)

    def arguments(self, function: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
        """What a call of a function may be given: it fits the signature, by place or by name."""
        args: list[Any] = []
        named: dict[str, Any] = {}
        strange = 0.0 if self.random.random() < 0.55 else 0.4
        for place, (name, parameter) in enumerate(signature_of(function).parameters.items()):
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            if parameter.kind is parameter.VAR_POSITIONAL:
                if not named:
                    args += [self.value(name, parameter, strange) for _ in range(self.random.randrange(3))]
                continue
            if parameter.default is not parameter.empty and self.random.random() < 0.6:
                if parameter.kind is parameter.POSITIONAL_ONLY:
                    break
                continue
            value = self.value(name, parameter, strange)
            is_next = not named and parameter.kind is not parameter.KEYWORD_ONLY and place == len(args)
            if is_next and (parameter.kind is parameter.POSITIONAL_ONLY or self.random.random() < 0.7):
                args.append(value)
            else:
                named[name] = value
        return args, named

    def call(self, name: str, function: Callable[..., Any], *, permitted: tuple[type[Exception], ...] = ()) -> Any:
        """Call a function with drawn values."""
        args, named = self.arguments(function)
        return self.judge(name, lambda: function(*args, **named), (args, named), permitted)

    def judge(self, name: str, call: Callable[[], Any], given: Any, permitted: tuple[type[Exception], ...] = ()) -> Any:
        """Do something, and judge what comes out."""
        self.calls += 1
        self.called.add(name)
        try:
            answer = call()
            if isinstance(answer, GeneratorType):
                answer = list(islice(answer, 20))
        except MunimentError as error:
            self._judge_message(name, error)
            return None
        except permitted:
            return None
        except Exception as error:
            cause = error.__cause__ or error
            if isinstance(cause, OSError) and str(cause) == "the caller's own":
                return None
            # A class that is handed in as a function is called, and may take other arguments.
            progress = given[1].get("progress")
            if isinstance(progress, type) and str(error).startswith(f"{progress.__name__}.__init__() takes"):
                return None
            if name.endswith(".execute") and isinstance(cause, TypeError) and "positional argument" in str(cause):
                # A class that was passed as a command is called with more than it takes, and says so.
                return None
            self.problems.append(f"{name}({described(given)}): {type(error).__name__}: {str(error)[:200]}")
            return None
        by_place, by_name = given
        if not any(answer is each for each in (*by_place, *by_name.values())):
            self.keep(answer)
        return answer

    def keep(self, answer: Any) -> None:
        """Have what came out passed on later."""
        for each in (answer, *(answer[:3] if type(answer) in (tuple, list) else ())):
            module = type(each).__module__
            if module.startswith("muniment.domain") or (module.startswith("muniment") and isinstance(each, tuple)):
                self.answers.append(each)
        if len(self.answers) > MOST_KEPT:
            del self.answers[: MOST_KEPT // 2]

    def _judge_message(self, name: str, error: MunimentError) -> None:
        try:
            said = str(error)
            said.encode()
            repr(error)
        except Exception as failure:
            self.problems.append(f"{name}: the message of {error.code} fails: {type(failure).__name__}")
            return
        if len(said) > LONGEST_MESSAGE:
            self.problems.append(f"{name}: the message of {error.code} has {len(said)} characters")


_signatures: dict[Any, inspect.Signature] = {}


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function, which is asked for often."""
    key = getattr(function, "__func__", function)
    found = _signatures.get((key, getattr(function, "__self__", None) is not None))
    if found is None:
        found = _signatures[key, getattr(function, "__self__", None) is not None] = inspect.signature(function)
    return found


def described(given: Any) -> str:
    """What was passed, whatever it is."""
    try:
        return repr(given)[:300]
    except Exception:
        return str(
            [[type(each).__name__ for each in given[0]], {name: type(each).__name__ for name, each in given[1].items()}]
        )


def protocol_callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Its functions and values; not what is made by others, nor what Python itself builds."""
    for name in muniment.domain.protocol.__all__:
        each = getattr(muniment.domain.protocol, name)
        is_built = isinstance(each, type) and issubclass(each, Enum | tuple)
        if callable(each) and not is_built and name not in ("LocalType", "Frontier"):
            yield name, each


def public_callables() -> dict[str, Callable[..., Any]]:
    """Every function and class of the public rooms, and the event types of the domain's modules."""
    found: dict[str, Callable[..., Any]] = {}
    for room in (muniment.domain, muniment.journal):
        for name in room.__all__:
            each = getattr(room, name)
            if name in LEFT_OUT:
                continue
            if isinstance(each, ModuleType):
                if each is muniment.domain.protocol:
                    found |= {f"{name}.{inner}": kind for inner, kind in protocol_callables()}
                found |= {
                    f"{name}.{inner}": kind
                    for inner, kind in vars(each).items()
                    if isinstance(kind, type) and is_dataclass(kind) and not inner.startswith("_")
                }
            elif isinstance(each, type):
                if not issubclass(each, Exception | Enum | AsyncJournal):
                    if can_be_built(each):
                        found[name] = each
                    for method, function in class_methods(each):
                        if f"{name}.{method}" not in LEFT_OUT:
                            found[f"{name}.{method}"] = function
            elif inspect.isroutine(each):
                found[name] = each
    return found


def can_be_built(kind: type) -> bool:
    """Whether callers build such values: plain results, and facades, come out of calls."""
    return bool(is_dataclass(kind)) or kind is d.Fragments


def class_methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public class methods of a class."""
    for name, raw in vars(kind).items():
        if not name.startswith("_") and isinstance(raw, classmethod | staticmethod):
            yield name, getattr(kind, name)


def public_methods(thing: object, path: str, depth: int = 3) -> Iterator[tuple[str, Any]]:
    """Every public method of a facade, and of what its public properties are, found by inspection."""
    kind = type(thing)
    for name in sorted(dir(thing)):
        if name.startswith("_") or name in NOT_CALLED:
            continue
        if isinstance(inspect.getattr_static(kind, name, None), classmethod | staticmethod):
            continue
        attribute = getattr(thing, name)
        if inspect.ismethod(attribute):
            yield f"{path}.{name}", attribute
        elif depth and type(attribute).__module__.startswith("muniment") and not isinstance(attribute, tuple | Enum):
            yield from public_methods(attribute, f"{path}.{name}", depth - 1)
    if isinstance(thing, Mapping):
        yield f"{path}[]", thing


def prepare(journal: Journal) -> list[Any]:
    """Something to work on; what came of it."""
    journal.sessions.open("s-1", ["coordinator"])
    journal.sessions.open("s-2")
    held = journal.sessions.claim("s-1", "alice")
    witness = journal.sessions.issue_witness(held, "ready")
    journal.sessions.host("s-2", "alice")
    journal.bundles.register(d.ComposedBundle("b-1", ("p-1",)))
    journal.bundles.seed_members("b-1", ["alice", "bob"])
    journal.conversations.create("c-1", "alice")
    request = d.ProposalRequest.add_member("bob")
    journal.conversations.open_proposal("c-1", 1, request, voters=3)
    plan = d.UpgradePlan("plan", (d.UpgradeStep("step", frozenset({"alice"})),))
    return [held, witness, request, d.Fragments({"bundle:b-1"}), d.RuntimeUpgradeRequest("u-1", plan)]


def walk_journal(walk: Walk, calls: int) -> None:
    """Call the public names with one journal, which is sound afterwards, and works."""
    functions = list(public_callables().items())
    with Journal.open("memory://") as journal:
        walk.answers[:] = prepare(journal)
        methods = list(public_methods(journal, "journal"))
        until = walk.calls + calls
        while walk.calls < until and not walk.problems:
            if walk.random.random() < 0.25:
                leave(walk.call(*walk.random.choice(functions)))
            elif walk.answers and walk.random.random() < 0.15:
                walk_value(walk, walk.random.choice(walk.answers))
            else:
                walk_method(walk, *walk.random.choice(methods))
        found = journal.verify().findings
        if found:
            walk.problems.append(f"the journal is unsound: {found[:3]}")
        journal.sessions.open("afterwards")
        journal.sessions.check(journal.sessions.claim("afterwards", "alice"))
        if len(journal.owners) == 0 or journal.owners["afterwards"].owner != "alice":
            walk.problems.append("the journal does not work afterwards")


def walk_method(walk: Walk, name: str, method: Any) -> None:
    """Call one method, or look something up in a mapping."""
    if name.rpartition(".")[2] in RARE and walk.random.random() < 0.98:
        return
    if isinstance(method, Mapping):
        key = walk.value("key")
        walk.judge(name, lambda: method[key], ([key], {}), (KeyError,))
        walk.judge(name, lambda: (method.get(key), key in method), ([key], {}))
        return
    answer = walk.call(name, method)
    if type(answer).__module__.startswith("muniment.journal"):
        enter(walk, name, answer)


def walk_value(walk: Walk, thing: Any) -> None:
    """Call a method of a value that came out, and say what it is."""
    kind = type(thing)
    if not hasattr(kind, "__pydantic_validator__"):
        return
    walk.judge(f"{kind.__name__}.__repr__", lambda: (repr(thing), str(thing), thing == 1, thing != 1), ([thing], {}))
    methods = [
        name
        for name in dir(kind)
        if not name.startswith("_") and inspect.isfunction(inspect.getattr_static(kind, name, None))
    ]
    if methods and kind.__module__.startswith("muniment") and is_dataclass(kind):
        name = walk.random.choice(methods)
        walk.call(f"{kind.__name__}.{name}", getattr(thing, name))


def leave(answer: object) -> None:
    """Close a journal that was opened."""
    if type(answer) is Journal:
        answer.close()


def enter(walk: Walk, name: str, answer: Any) -> None:
    """Use what is to be used in a block, and leave it."""
    kind = type(answer)
    if hasattr(kind, "stop"):
        walk.judge(f"{name}.stop", answer.stop, ([], {}))
    elif hasattr(kind, "__enter__"):

        def block() -> None:
            with answer:
                for method, function in public_methods(answer, name, 0):
                    walk.call(method, function)

        walk.judge(f"{name}.__enter__", block, ([], {}))
