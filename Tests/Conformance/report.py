#!/usr/bin/env python3
"""Which test shows which statement of the MQTT standards.

The catalogues in Fixtures/conformance name every numbered statement and whom it binds. Tests and fixtures cite what
they show: `[MQTT-3.1.2-4]` is a statement of MQTT 5.0, `[MQTT311-3.1.2-4]` one of MQTT 3.1.1. A citation in Sources
says where a statement is implemented and shows nothing. A statement that binds the server needs a test, or a reason
in its catalogue why it can have none.

`[SN-6.14-3]` is a sentence of MQTT-SN 1.2, numbered by us within its section, and `[D-17]` a decision of
docs/SPEC-DECISIONS.md where that standard is silent; `[SN-6.14]` names the section and shows nothing. Flows
(Fixtures/flows) say in "cites" what they show. A row of the packet fixtures that cites a section of §5.4 or §5.5 shows
its first statement: the form of the message.

Attack cases are what hostile or unlucky peers do; tests cite them as `[attack 39]` or `[attack 21, 22]`. A case
without a test needs a reason too; one of which a part is not shown has a reason that begins with "in part: ".

usage: report.py            print the report; the exit code is 1 when a statement is missing or a citation is wrong
       report.py --write    write docs/CONFORMANCE.md
       report.py --check    say whether docs/CONFORMANCE.md is what --write would write
"""

import ast
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORT = "docs/CONFORMANCE.md"
# The prefix in a citation, the standard's name, and the versions that rows of the packet fixtures name.
STANDARDS = {"MQTT": ("MQTT 5.0", "mqtt-5.0.tsv", "5.0"), "MQTT311": ("MQTT 3.1.1", "mqtt-3.1.1.tsv", "3.1.1"),
             "SN": ("MQTT-SN 1.2", "mqtt-sn-1.2.tsv", "1.2")}
DECISION = "D"
# The decisions themselves, and why one is not shown by a test.
DECISIONS = "docs/SPEC-DECISIONS.md"
DECISIONS_UNSHOWN = "decisions.tsv"
ATTACK = "attack"
ATTACK_CASES = "attack-cases.tsv"
# A reason that begins so excuses a part of an attack case: there must be a test of the rest.
IN_PART = "in part: "
# Whom a statement binds.
BINDS = ("server", "gateway", "client", "forwarder", "both", "none")
SHOWN_AT_MOST = 3

CITATION = re.compile(
    r"\[(?:(MQTT(?:311)?)-(\d+\.\d+\.\d+-\d+)|(SN)-(\d+(?:\.\d+)*-\d+)|(D)-(\d\d+))\]")
SECTION = re.compile(r"\[SN-\d+(?:\.\d+)*\]")
ATTACK_CITATION = re.compile(r"\[attack (\d+(?:, \d+)*)\]")
LIKE_AN_ATTACK = re.compile(r"\[attacks? [^\]]*\]|\(attack cases? [^)]*\)")
LIKE_A_CITATION = re.compile(r"\[(?:MQTT(?:311)?|SN|D)-\d[^\]\s]*\]?")
OLD_FORM = re.compile(r"3\.1\.1,? \[MQTT-\d")
FIXTURE_TAG = re.compile(r"(MQTT(?:311)?)-(\d+\.\d+\.\d+-\d+)|\b(SN)-(5\.[45](?:\.\d+)?)(?![\d.-])")
# Strings and comments, of Swift and of Python.
WORDS_IN_CODE = re.compile(r'"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"|//[^\n]*|# [^\n]*')
# What else stands in a test's title only to be found again.
REFERENCES = re.compile(r"\s*(\[(MQTT(311)?-\d|SN-\d|attack |[MD]-\d)[^\]]*\]|\(attack case[^)]*\))")


@dataclass
class Statement:
    """A row of a catalogue, and what was found about it."""

    standard: str
    number: str
    binds: str
    text: str
    reason: str
    tests: set = field(default_factory=set)
    code: set = field(default_factory=set)

    @property
    def tag(self):
        if self.standard == ATTACK:
            return f"[attack {self.number}]"
        return f"[{self.standard}-{self.number}]"

    @property
    def binds_server(self):
        return self.binds in ("server", "gateway", "both")

    @property
    def is_missing(self):
        return self.binds_server and not self.tests and (not self.reason or self.reason.startswith(IN_PART))

    @property
    def verdict(self):
        """The tests, one of each file first, rows of fixtures last; or why there are none."""
        if self.tests:
            ordered = sorted(self.tests, key=rank)
            first_of_file = {file: (file, name) for file, name in reversed(ordered)}
            chosen = sorted(first_of_file.values(), key=rank)
            chosen += [test for test in ordered if test not in chosen]
            lines = [f"{file}: {name}" if name else file for file, name in chosen[:SHOWN_AT_MOST]]
            lines += ["and more"] * (len(chosen) > SHOWN_AT_MOST)
            # A statement is shown or not; of an attack case a part may be.
            rest = IN_PART + self.reason.removeprefix(IN_PART)
            return lines + [rest] * (self.standard == ATTACK and bool(self.reason))
        if self.reason and not self.is_missing:
            return [f"not tested: {self.reason}"]
        return ["MISSING"] if self.binds_server else [f"binds {self.binds_whom}"]

    @property
    def binds_whom(self):
        return {"client": "clients only", "forwarder": "forwarders only", "none": "nobody"}.get(self.binds, self.binds)


def rank(test):
    """First the tests that were written for a statement, last the rows of fixtures."""
    file, name = test
    is_for_statements = "/test_conformance" in file or file.startswith("Fixtures/flows/")
    return not is_for_statements, file.startswith("Fixtures/"), file, name


@dataclass
class Citation:
    standard: str
    number: str
    file: str
    line: int
    # The test, or the row of a fixture, that cites; None outside of tests.
    test: str | None


class Report:
    """All statements with their citations, and what is wrong."""

    def __init__(self, root=ROOT):
        self.root = Path(root)
        self.statements = {}
        self.faults = []
        self.notes = []
        for standard, (_, file, _) in STANDARDS.items():
            self._read_catalogue(standard, self.root / "Fixtures/conformance" / file)
        self._read_decisions(self.root / DECISIONS, self.root / "Fixtures/conformance" / DECISIONS_UNSHOWN)
        self._read_attack_cases(self.root / "Fixtures/conformance" / ATTACK_CASES)
        for citation in self._citations():
            self._enter(citation)

    def of(self, standard):
        return [statement for statement in self.statements.values() if statement.standard == standard]

    @property
    def missing(self):
        return [statement for statement in self.statements.values() if statement.is_missing]

    def _read_catalogue(self, standard, path):
        if not path.is_file():
            return
        rows = path.read_text(encoding="utf-8").splitlines()
        for line, row in enumerate(rows[1:], 2):
            number, binds, text, reason = (row.split("\t") + [""])[:4]
            key = (standard, number)
            if key in self.statements or binds not in BINDS:
                self.faults.append(f"{path.relative_to(self.root)}:{line}: {number} stands twice or binds '{binds}'")
            self.statements[key] = Statement(standard, number, binds, text, reason)

    def _read_decisions(self, path, unshown):
        if not path.is_file():
            return
        reasons = {}
        if unshown.is_file():
            reasons = dict(row.split("\t", 1) for row in unshown.read_text(encoding="utf-8").splitlines()[1:])
        rows = re.compile(r"^\| D-(\d\d+) \| (.*?) \|", re.MULTILINE)
        for number, question in rows.findall(path.read_text(encoding="utf-8")):
            if (DECISION, number) in self.statements:
                self.faults.append(f"{DECISIONS}: D-{number} stands twice")
            reason = reasons.pop(number, "")
            self.statements[DECISION, number] = Statement(DECISION, number, "gateway", question, reason)
        self.faults += [f"{unshown.name}: there is no D-{number}" for number in reasons]

    def _read_attack_cases(self, path):
        if not path.is_file():
            return
        for line, row in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], 2):
            number, _, name, reason = (row.split("\t") + [""])[:4]
            if (ATTACK, number) in self.statements or not number.isdecimal() or not name:
                self.faults.append(f"{path.relative_to(self.root)}:{line}: {number} stands twice or has no name")
            self.statements[ATTACK, number] = Statement(ATTACK, number, "both", name, reason)

    def _citations(self):
        for folder in ("Sources", "Tests", "Fixtures"):
            for path in sorted((self.root / folder).rglob("*")):
                file = path.relative_to(self.root).as_posix()
                if not path.is_file() or file.startswith(("Tests/Conformance/", "Fixtures/conformance/")):
                    continue
                if "__pycache__" in file or path.suffix in (".pyc", ".der", ".bin"):
                    continue
                text = path.read_bytes().decode("utf-8", "replace")
                self._check_form(file, text)
                if path.suffix == ".json" and folder == "Fixtures":
                    yield from citations_in_json(file, text)
                else:
                    yield from citations_in_text(file, text, owners_in(file, text))

    def _check_form(self, file, text):
        for line, content in enumerate(text.splitlines(), 1):
            for found in LIKE_A_CITATION.findall(content):
                if not CITATION.fullmatch(found) and not SECTION.fullmatch(found):
                    self.faults.append(f"{file}:{line}: {found} is not the form of a citation")
            for found in LIKE_AN_ATTACK.findall(content) if file.startswith("Tests/") else ():
                if not ATTACK_CITATION.fullmatch(found):
                    self.faults.append(f"{file}:{line}: {found} is not the form of a citation: [attack 1, 2]")
            if OLD_FORM.search(content):
                self.faults.append(f"{file}:{line}: a statement of MQTT 3.1.1 is cited as [MQTT311-...]")

    def _enter(self, citation):
        statement = self.statements.get((citation.standard, citation.number))
        place = f"{citation.file}:{citation.line}"
        if statement is None:
            tag = Statement(citation.standard, citation.number, "", "", "").tag
            self.faults.append(f"{place}: {tag} is in no catalogue")
        elif citation.file.startswith("Sources/"):
            statement.code.add(citation.file)
        elif citation.test is None:
            self.notes.append(f"{place}: {statement.tag} stands in no test, so it shows nothing")
        else:
            statement.tests.add((citation.file, citation.test))


def citations_in_text(file, text, owners):
    """The citations of a file; `owners` are the tests of each of its lines."""
    for line, content in enumerate(text.splitlines(), 1):
        attacks = [(ATTACK, each) for found in ATTACK_CITATION.findall(content) for each in found.split(", ")]
        for standard, number in citations_of(content) + attacks:
            for test in owners.get(line, [None]):
                yield Citation(standard, number, file, line, test)


def citations_of(text):
    """(standard, number) of each citation."""
    return [tuple(filter(None, found)) for found in CITATION.findall(text)]


def citations_in_flow(file, flow, lines):
    """What a flow says that it shows: `SN-6.14-3`, `D-17`, `attack 108`."""
    line = next((i for i, each in enumerate(lines, 1) if flow.get("title", "") in each), 1)
    for each in flow["cites"]:
        attack = re.fullmatch(r"attack (\d+)", each)
        # What is none of them is in no catalogue either.
        standard, number = (ATTACK, attack[1]) if attack else (citations_of(f"[{each}]") or [("", each)])[0]
        yield Citation(standard, number, file, line, flow.get("title", ""))


def citations_in_json(file, text):
    """The tags of a fixture's rows. A row of one version shows nothing about another."""
    lines = text.splitlines()

    def walk(value):
        if isinstance(value, list):
            for each in value:
                yield from walk(each)
        elif isinstance(value, dict):
            if isinstance(value.get("cites"), list):
                yield from citations_in_flow(file, value, lines)
            if isinstance(value.get("tag"), str):
                for found in FIXTURE_TAG.findall(value["tag"]):
                    standard, number = filter(None, found)
                    if value.get("version", STANDARDS[standard][2]) == STANDARDS[standard][2]:
                        line = next((i for i, each in enumerate(lines, 1) if f"{standard}-{number}" in each), 1)
                        number += "-1" * (standard == "SN")
                        yield Citation(standard, number, file, line, value.get("name", ""))
            for each in value.values():
                yield from walk(each)

    yield from walk(json.loads(text))


def owners_in(file, text):
    """For each line that belongs to tests, their names. Fixtures belong to the test that reads them by existing."""
    if file.startswith("Fixtures/"):
        return dict.fromkeys(range(1, text.count("\n") + 2), [""])
    if not file.startswith("Tests/"):
        return {}
    if file.endswith(".swift"):
        blocks = swift_blocks(text)
    elif file.endswith(".py") and Path(file).name.startswith("test_"):
        blocks = python_blocks(text)
    else:
        return {}
    lines = text.splitlines()
    tests = [(name, "\n".join(lines[start - 1:end])) for is_test, name, start, end in blocks if is_test]
    owners = {}
    for is_test, name, start, end in blocks:
        # A table or a helper shows what the tests show that use it.
        users = [name] if is_test else [test for test, body in tests if uses(body, name)]
        if users:
            owners.update(dict.fromkeys(range(start, end + 1), users))
    return owners


def uses(body, name):
    """Whether a test's code has the name of a table or helper: on its own, not as a member of something else."""
    code = WORDS_IN_CODE.sub("", body)
    return re.search(rf"(?:(?<![\w.])|(?<=Self\.)|(?<=self\.)){re.escape(name)}\b", code)


def python_blocks(text):
    """(is it a test, name, first line, last line) of each function and table of a Python file."""
    lines = text.splitlines()
    blocks = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            start = min([node.lineno] + [each.lineno for each in node.decorator_list])
            blocks.append((node.name.startswith("test_"), node.name, above(lines, start, "#"), node.end_lineno))
        elif isinstance(node, ast.Assign) and node.col_offset == 0 and isinstance(node.targets[0], ast.Name):
            blocks.append((False, node.targets[0].id, above(lines, node.lineno, "#"), node.end_lineno))
    return sorted(blocks, key=lambda block: block[2])


SWIFT_DECLARATION = re.compile(
    r" {0,4}(?P<test>@Test\b)|"
    r" {0,4}(?:@\w+(?:\([^)]*\))? )*(?:(?:package|private|fileprivate|static|final|mutating|nonisolated) )*"
    r"(?P<kind>func|let|var|struct|enum|class|extension|actor|protocol)\s+(?P<name>\w+)")
SWIFT_TITLE = re.compile(r'@Test\(\s*(?:"""(?P<lines>.*?)"""|"(?P<line>(?:[^"\\]|\\.)*)")', re.DOTALL)


def swift_blocks(text):
    """(is it a test, title, first line, last line) of each declaration of a Swift file that is not inside another."""
    lines = text.splitlines()
    starts = []
    waiting_for_function = False
    for number, line in enumerate(lines, 1):
        if found := SWIFT_DECLARATION.match(line):
            if waiting_for_function and found["kind"] == "func":
                waiting_for_function = False
            else:
                waiting_for_function = bool(found["test"]) and " func " not in line
                starts.append((number, bool(found["test"]), found["kind"], found["name"]))
    blocks = []
    ends = [above(lines, start[0], "//") - 1 for start in starts[1:]] + [len(lines)]
    for (number, is_test, kind, name), end in zip(starts, ends):
        if kind in ("struct", "enum", "class", "extension", "actor", "protocol"):
            continue
        if is_test:
            body = "\n".join(lines[number - 1:end])
            title = SWIFT_TITLE.search(body)
            function = re.search(r"\bfunc (\w+)", body)
            name = plain(title["line"] or joined(title["lines"])) if title else function[1] if function else ""
        blocks.append((is_test, name, above(lines, number, "//"), end))
    return blocks


def above(lines, number, mark):
    """The first of the comment lines directly above a line."""
    while number > 1 and lines[number - 2].lstrip().startswith(mark):
        number -= 1
    return number


def joined(lines):
    """A title of many lines, on one."""
    return " ".join(line.strip().removesuffix("\\").strip() for line in lines.strip().splitlines())


def plain(title):
    return REFERENCES.sub("", title).strip()


def counts(statements):
    """One line on how many there are of each kind."""
    binding = [each for each in statements if each.binds_server]
    shown = sum(bool(each.tests) for each in binding)
    reasoned = sum(not each.tests and bool(each.reason) for each in binding)
    whom = "gateway" if any(each.standard == "SN" for each in statements) else "server"
    line = (f"{len(statements)} statements. {len(binding)} bind a {whom}: {shown} are shown by tests, "
            f"{reasoned} cannot be tested for the reason given")
    missing = len(binding) - shown - reasoned
    return line + (f", {missing} are MISSING." if missing else ". None is missing.")


def counts_of_decisions(decisions):
    shown = sum(bool(each.tests) for each in decisions)
    reasoned = sum(not each.tests and not each.is_missing for each in decisions)
    line = f"{len(decisions)} decisions. {shown} are shown by tests, {reasoned} are not for the reason given"
    missing = len(decisions) - shown - reasoned
    return line + (f", {missing} are MISSING." if missing else ". None is missing.")


def counts_of_cases(cases):
    waiting = sum(bool(each.reason) and not each.is_missing for each in cases)
    missing = sum(each.is_missing for each in cases)
    shown = len(cases) - waiting - missing
    line = f"{len(cases)} cases. {shown} are shown by tests, {waiting} wait, wholly or in part, for the reason given"
    return line + (f", {missing} are MISSING." if missing else ". None is missing.")


def in_text(report):
    for standard, (title, _, _) in STANDARDS.items():
        statements = report.of(standard)
        yield f"{title}: {counts(statements)}"
        for each in statements:
            yield f"{each.tag} {each.binds}: {each.text}"
            yield from (f"    {line}" for line in each.verdict)
            if each.is_missing and each.code:
                yield f"    (cited in {', '.join(sorted(each.code))})"
    decisions = report.of(DECISION)
    yield f"Decisions: {counts_of_decisions(decisions)}"
    for each in decisions:
        yield f"{each.tag} {each.text}"
        yield from (f"    {line}" for line in each.verdict)
    cases = report.of(ATTACK)
    yield f"Attack cases: {counts_of_cases(cases)}"
    for each in cases:
        yield f"{each.tag} {each.text}"
        yield from (f"    {line}" for line in each.verdict)


def in_markdown(report):
    """The text of docs/CONFORMANCE.md: no line numbers and no counts of tests, so that it changes seldom."""
    def cell(text):
        return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")

    lines = [
        "# Conformance", "",
        "Each numbered statement of the standards, in our words, with tests that show it (three at most). "
        "Written by `make conformance-report`; do not edit. A test that cites `[MQTT-3.1.2-4]` shows a statement of "
        "MQTT 5.0, one that cites `[MQTT311-3.1.2-4]` a statement of MQTT 3.1.1. The sentences of MQTT-SN 1.2 are "
        "numbered by us within their sections (`[SN-6.14-3]`); flows in `Fixtures/flows` show most of them. "
        "The catalogues are in `Fixtures/conformance`.",
    ]
    for standard, (title, _, _) in STANDARDS.items():
        statements = report.of(standard)
        lines += ["", f"## {title}", "", counts(statements), "",
                  "| number | binds | statement | shown by |", "| --- | --- | --- | --- |"]
        for each in statements:
            shown = "<br>".join(cell(line) for line in each.verdict)
            lines.append(f"| {each.number} | {each.binds} | {cell(each.text)} | {shown} |")
    decisions = report.of(DECISION)
    lines += ["", "## Decisions about MQTT-SN", "",
              f"Where MQTT-SN 1.2 is silent; `{DECISIONS}` has what was decided.", "", counts_of_decisions(decisions), "",
              "| number | question | shown by |", "| --- | --- | --- |"]
    for each in decisions:
        shown = "<br>".join(cell(line) for line in each.verdict)
        lines.append(f"| D-{each.number} | {cell(each.text)} | {shown} |")
    cases = report.of(ATTACK)
    lines += ["", "## Attack cases", "",
              "What hostile, broken or unlucky peers do. Tests send it and cite `[attack 39]`; others must be served "
              "meanwhile.", "", counts_of_cases(cases), "", "| number | case | shown by |", "| --- | --- | --- |"]
    for each in cases:
        shown = "<br>".join(cell(line) for line in each.verdict)
        lines.append(f"| {each.number} | {cell(each.text)} | {shown} |")
    return "\n".join(lines) + "\n"


def main(arguments):
    report = Report()
    if arguments == ["--write"]:
        (ROOT / REPORT).write_text(in_markdown(report), encoding="utf-8")
        return 0
    if arguments == ["--check"]:
        fresh = (ROOT / REPORT).is_file() and (ROOT / REPORT).read_text(encoding="utf-8") == in_markdown(report)
        print(f"{REPORT} is " + ("fresh" if fresh else "stale: run `make conformance-report`"))
        return 0 if fresh else 1
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    print("\n".join(in_text(report)))
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    for fault in report.faults:
        print(f"fault: {fault}", file=sys.stderr)
    if report.missing:
        print(f"missing: {' '.join(each.tag for each in report.missing)}", file=sys.stderr)
    return 1 if report.faults or report.missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
