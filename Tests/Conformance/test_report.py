"""The report of conformance: what it finds, what it refuses, and whether the one in docs is of today."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import report  # noqa: E402

ATTACK_CASES = "Fixtures/conformance/attack-cases.tsv"
CATALOGUE = """number\tbinds\tstatement\treason
1.0.0-1\tserver\tThe server answers
1.0.0-2\tclient\tThe client asks
1.0.0-3\tboth\tBoth are polite\tNobody can measure it.
1.0.0-4\tboth\tBoth count
"""
SWIFT = '''
import Testing

/// [MQTT-1.0.0-4] above a suite shows nothing.
@Suite struct AnswerTests {
    /// What is asked.
    static let questions = [
        "why"  // [MQTT-1.0.0-4]
    ]

    // It answers in each case.
    @Test("The server answers [MQTT-1.0.0-1] [attack 3]", arguments: questions)
    func answers(question: String) {
        #expect(true)
    }

    func helper() {}  // [MQTT-1.0.0-1]

    @Test("Other questions [MQTT311-1.0.0-1]") func another() { #expect(some.questions.isEmpty) }

    @Test(
        "On two lines [MQTT311-1.0.0-4]",
        arguments: [1])
    func twoLines(one: Int) {
        // [MQTT-1.0.0-1]
    }

    @Test(
        """
        Longer than \\
        a line [MQTT311-1.0.0-2]
        """)
    func longer() {}
}
'''
PYTHON = '''
"""[MQTT-1.0.0-4] on top of a file shows nothing."""

import pytest

TABLE = [
    1,  # [MQTT-1.0.0-4]
]


def helper():
    """[MQTT-1.0.0-1]"""


# [MQTT-1.0.0-1]
@pytest.mark.parametrize("one", TABLE)
def test_answers(one):
    """[MQTT311-1.0.0-1]"""
    assert one  # [MQTT311-1.0.0-4]
'''


@pytest.fixture
def tree(tmp_path):
    """Writes files into a tree with two small catalogues; the answer is what the report finds in it."""
    def write(files, mqtt5=CATALOGUE, mqtt311=CATALOGUE):
        files = {"Fixtures/conformance/mqtt-5.0.tsv": mqtt5, "Fixtures/conformance/mqtt-3.1.1.tsv": mqtt311} | files
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return report.Report(tmp_path)
    return write


def shown(found, standard, number):
    return sorted(found.statements[standard, number].tests)


def missing(found):
    return [each.tag for each in found.missing]


def test_a_statement_of_the_server_without_a_test_is_missing(tree):
    found = tree({})
    assert missing(found) == [
        "[MQTT-1.0.0-1]", "[MQTT-1.0.0-4]", "[MQTT311-1.0.0-1]", "[MQTT311-1.0.0-4]"]
    text = "\n".join(report.in_text(found))
    assert "[MQTT-1.0.0-1] server: The server answers\n    MISSING" in text
    assert "[MQTT-1.0.0-2] client: The client asks\n    binds clients only" in text
    assert "[MQTT-1.0.0-3] both: Both are polite\n    not tested: Nobody can measure it." in text
    assert "2 are MISSING" in text


def test_swift_tests_show_what_they_and_their_tables_cite(tree):
    found = tree({"Tests/Some/AnswerTests.swift": SWIFT, ATTACK_CASES: "number\tgroup\tname\treason\n3\tA\tA lie\n"})
    file = "Tests/Some/AnswerTests.swift"
    assert shown(found, "MQTT", "1.0.0-1") == [(file, "On two lines"), (file, "The server answers")]
    assert shown(found, "MQTT", "1.0.0-4") == [(file, "The server answers")]
    assert shown(found, "MQTT311", "1.0.0-1") == [(file, "Other questions")]
    assert shown(found, "MQTT311", "1.0.0-4") == [(file, "On two lines")]
    assert shown(found, "MQTT311", "1.0.0-2") == [(file, "Longer than a line")]
    assert missing(found) == [] and found.faults == []
    # Above the suite, and in a helper that no test calls.
    assert len(found.notes) == 2


def test_python_tests_show_what_they_and_their_tables_cite(tree):
    found = tree({"Tests/Some/test_answers.py": PYTHON, "Tests/Some/tool.py": "# [MQTT-1.0.0-1]\n"})
    test = ("Tests/Some/test_answers.py", "test_answers")
    for standard, number in found.statements:
        assert shown(found, standard, number) == ([test] if number in ("1.0.0-1", "1.0.0-4") else [])
    assert found.faults == [] and len(found.notes) == 3


def test_rows_of_fixtures_show_what_their_version_allows(tree):
    found = tree({"Fixtures/mqtt/rows.json": """[
        {"name": "new", "tag": "MQTT-1.0.0-1", "version": "5.0"},
        {"name": "old", "tag": "MQTT-1.0.0-4", "version": "3.1.1"},
        {"name": "both", "tag": "MQTT-1.0.0-4, MQTT311-1.0.0-1", "version": "3.1.1"},
        {"name": "very old", "tag": "MQTT311-1.0.0-4", "version": "3.1"}
    ]"""})
    assert shown(found, "MQTT", "1.0.0-1") == [("Fixtures/mqtt/rows.json", "new")]
    assert shown(found, "MQTT311", "1.0.0-1") == [("Fixtures/mqtt/rows.json", "both")]
    assert missing(found) == ["[MQTT-1.0.0-4]", "[MQTT311-1.0.0-4]"]


def test_code_shows_nothing(tree):
    found = tree({"Sources/Answer.swift": "answer()  // [MQTT-1.0.0-1]\n"})
    assert "[MQTT-1.0.0-1]" in missing(found)
    assert "    (cited in Sources/Answer.swift)" in report.in_text(found)


@pytest.mark.parametrize("cited, fault", [
    ("[MQTT-1.0.0-9]", "is in no catalogue"),
    ("[MQTT311-7.7.7-7]", "is in no catalogue"),
    ("[MQTT-1.0.0-1/-2]", "is not the form of a citation"),
    ("[MQTT-1-0.0-1]", "is not the form of a citation"),
    ("3.1.1 [MQTT-1.0.0-1]", "is cited as [MQTT311-...]"),
])
@pytest.mark.parametrize("file", ["Sources/Answer.swift", "Tests/Some/AnswerTests.swift"])
def test_a_wrong_citation_is_a_fault(tree, file, cited, fault):
    found = tree({file: f'    @Test("It answers {cited}") func answers() {{}}\n'})
    assert [each for each in found.faults if each.startswith(f"{file}:1: ") and each.endswith(fault)]


ATTACKS = """number\tgroup\tname\treason
1\tA\tA length that lies
2\tA\tA stall
3\tI\tA storm\tComes later.
4\tA\tA flood\tin part: Nothing is known of its colour.
"""


def test_an_attack_case_needs_a_test_or_a_reason(tree):
    catalogue = {ATTACK_CASES: ATTACKS}
    found = tree(catalogue)
    assert missing(found)[-3:] == ["[attack 1]", "[attack 2]", "[attack 4]"]
    counts = "4 cases. 0 are shown by tests, 1 wait, wholly or in part, for the reason given, 3 are MISSING."
    assert counts in report.in_markdown(found)
    assert "| 3 | A storm | not tested: Comes later. |" in report.in_markdown(found)
    found = tree(catalogue | {
        "Tests/SomeTests.swift": '    @Test("It lies [attack 1, 2]") func lies() {}\n',
        "Tests/StormTests.swift": '    @Test("It storms [attack 3] [attack 4]") func storms() {}\n',
        "Sources/Some.swift": "stall()  // [attack 2]\n",
        "Tests/test_some.py": 'ROWS = {\n    "[attack 2] stalls": 1,\n}\n\n\ndef test_rows():\n    assert ROWS\n'})
    assert found.faults == [] and not [tag for tag in missing(found) if "attack" in tag]
    assert shown(found, "attack", "2") == [("Tests/SomeTests.swift", "It lies"), ("Tests/test_some.py", "test_rows")]
    assert "| 1 | A length that lies | Tests/SomeTests.swift: It lies |" in report.in_markdown(found)
    assert "| 3 | A storm | Tests/StormTests.swift: It storms<br>in part: Comes later. |" in report.in_markdown(found)
    assert "It storms<br>in part: Nothing is known of its colour. |" in report.in_markdown(found)


@pytest.mark.parametrize("cited", ["[attack 5]", "[attacks 1, 2]", "(attack case 1)", "[attack 1,2]"])
def test_a_wrong_citation_of_an_attack_case_is_a_fault(tree, cited):
    found = tree({ATTACK_CASES: ATTACKS,
                  "Tests/SomeTests.swift": f'    @Test("It lies {cited}") func lies() {{}}\n'})
    assert len(found.faults) == 1 and cited in found.faults[0]


def test_a_number_that_stands_twice_is_a_fault(tree):
    assert len(tree({}, mqtt5=CATALOGUE + "1.0.0-1\tserver\tAgain\n").faults) == 1
    assert len(tree({}, mqtt5=CATALOGUE + "1.0.0-5\tnobody\tAgain\n").faults) == 1


def test_three_tests_are_listed_each_of_another_file_first(tree):
    body = "".join(f'    @Test("Test {number} [MQTT-1.0.0-1]") func test{number}() {{}}\n' for number in range(3))
    found = tree({f"Tests/{name}Tests.swift": body for name in "AB"})
    assert found.statements["MQTT", "1.0.0-1"].verdict == [
        "Tests/ATests.swift: Test 0", "Tests/BTests.swift: Test 0", "Tests/ATests.swift: Test 1", "and more"]
    # Tests that were written for statements come first, rows of fixtures last.
    found = tree({"Tests/EndToEnd/test_conformance_x.py": 'def test_x():\n    """[MQTT-1.0.0-1]"""\n',
                  "Fixtures/mqtt/a.json": '[{"name": "row", "tag": "MQTT-1.0.0-1", "version": "5.0"}]'})
    assert found.statements["MQTT", "1.0.0-1"].verdict == [
        "Tests/EndToEnd/test_conformance_x.py: test_x", "Tests/ATests.swift: Test 0", "Tests/BTests.swift: Test 0",
        "and more"]


SN = """number\tbinds\tstatement\treason
5.4.5-1\tgateway\tCONNACK has a code
6.1-1\tgateway\tIt advertises\tIt comes later.
6.2-1\tgateway\tIt answers
6.2-2\tforwarder\tIt forwards
"""
SN_CATALOGUE = "Fixtures/conformance/mqtt-sn-1.2.tsv"
DECISIONS = "| # | question | decision |\n| --- | --- | --- |\n| D-01 | Twice? | Once. |\n| D-02 | Why? | Because. |\n"


def test_flows_and_packets_show_sentences_of_mqtt_sn_and_decisions(tree):
    catalogues = {SN_CATALOGUE: SN, report.DECISIONS: DECISIONS, ATTACK_CASES: ATTACKS}
    assert missing(tree(catalogues))[4:] == [
        "[SN-5.4.5-1]", "[SN-6.2-1]", "[D-01]", "[D-02]", "[attack 1]", "[attack 2]", "[attack 4]"]
    flow = '[{"title": "A flow", "cites": ["SN-6.2-1", "D-01", "attack 1"], "steps": ["dev > CONNECT"]}]'
    packet = '[{"name": "row", "tag": "SN-5.4.5 D-02", "version": "1.2"}]'
    found = tree(catalogues | {
        "Fixtures/flows/a.json": flow, "Fixtures/mqttsn/a.json": packet,
        "Fixtures/conformance/decisions.tsv": "number\treason\n02\tNobody can see it.\n",
        "Tests/SomeTests.swift": '    @Test("It answers [SN-6.2] [D-01]") func answers() {}\n'})
    assert found.faults == [] and missing(found)[4:] == ["[attack 2]", "[attack 4]"]
    # A row shows the form of its message, a citation of a section nothing.
    assert shown(found, "SN", "5.4.5-1") == [("Fixtures/mqttsn/a.json", "row")]
    assert shown(found, "SN", "6.2-1") == [("Fixtures/flows/a.json", "A flow")]
    assert shown(found, "D", "01") == [("Fixtures/flows/a.json", "A flow"), ("Tests/SomeTests.swift", "It answers")]
    text = report.in_markdown(found)
    assert "| 6.2-2 | forwarder | It forwards | binds forwarders only |" in text
    assert "4 statements. 3 bind a gateway: 2 are shown by tests, 1 cannot" in text
    assert "| D-02 | Why? | not tested: Nobody can see it. |" in text
    assert "2 decisions. 1 are shown by tests, 1 are not for the reason given. None is missing." in text


@pytest.mark.parametrize("cited", ["SN-6.2-9", "SN-6.2", "D-03", "attack 77", "M-10"])
def test_a_flow_that_cites_what_is_not_there_is_a_fault(tree, cited):
    found = tree({SN_CATALOGUE: SN, report.DECISIONS: DECISIONS, ATTACK_CASES: ATTACKS,
                  "Fixtures/flows/a.json": f'[{{"title": "A flow", "cites": ["{cited}"], "steps": []}}]'})
    assert len(found.faults) == 1 and cited in found.faults[0]


def test_a_stale_report_fails(tree, tmp_path, monkeypatch):
    tree({"docs/CONFORMANCE.md": "old"})
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report.Report.__init__, "__defaults__", (tmp_path,))
    assert report.main(["--check"]) == 1
    assert report.main(["--write"]) == 0
    assert report.main(["--check"]) == 0
    assert report.main([]) == 1
    (tmp_path / "Tests").mkdir()
    (tmp_path / "Tests/test_new.py").write_text('def test_new():\n    """[MQTT-1.0.0-1]"""\n')
    assert report.main(["--check"]) == 1
    assert report.main(["--nonsense"]) == 2


def test_all_statements_are_in_the_catalogues():
    found = report.Report()
    assert len(found.of("MQTT")) == 251 and len(found.of("MQTT311")) == 141 and len(found.of("SN")) == 203
    # Numbers within a section leave nothing out, nor do those of decisions.
    sections = {}
    for each in found.of("SN"):
        section, _, number = each.number.rpartition("-")
        sections.setdefault(section, []).append(int(number))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sections.values())
    assert [int(each.number) for each in found.of("D")][:57] == list(range(1, 58))
    assert [int(each.number) for each in found.of("attack")] == list(range(1, 132))
    assert not [each for each in found.statements.values() if not each.text]


def test_no_citation_is_wrong():
    assert report.Report().faults == []


def test_each_statement_is_shown():
    assert report.Report().missing == []


def test_the_report_in_docs_is_of_today():
    check = [sys.executable, str(Path(report.__file__)), "--check"]
    assert subprocess.run(check, capture_output=True, text=True).stdout == "docs/CONFORMANCE.md is fresh\n"
