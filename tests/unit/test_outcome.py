"""How a command ends: its exit code, and what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOLDFAST = Path(sys.executable).with_name("holdfast")
OURS = ("HOLDFAST_DEBUG", "PYTHONUNBUFFERED")
ENDS = {
    "pass": 0,
    "sys.exit()": 0,
    "sys.exit(3)": 3,
    "sys.exit('why')": 1,
    "raise StoreFull('The store is full.')": 1,
    "raise InvalidSpec('spec.schedule')": 2,
    "raise ValueError('hunter2')": 1,
}


def end(body: str, *, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
    code = f"""if True:
        import sys
        from holdfast.cli.outcome import run
        from holdfast.errors import InvalidSpec, StoreFull

        def command():
            {body}

        run(command)
    """
    given = {name: value for name, value in os.environ.items() if name not in OURS} | environment
    return subprocess.run(
        [sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, env=given
    )


@pytest.mark.parametrize(("body", "code"), ENDS.items())
def test_every_end_has_its_exit_code(body: str, code: int) -> None:
    assert end(body).returncode == code


def test_an_error_of_ours_is_told_in_its_own_words() -> None:
    assert end("raise StoreFull('The store is full.', hint='Make room.')").stderr == (
        "error: The store is full.\n       Make room.\n"
    )


def test_an_unknown_error_is_told_without_its_text() -> None:
    said = end("raise ValueError('hunter2')").stderr
    assert "unexpected ValueError" in said
    assert "hunter2" not in said
    assert "Traceback" not in said


def test_who_looks_for_a_bug_gets_the_traceback() -> None:
    assert "Traceback" in end("raise ValueError('where')", HOLDFAST_DEBUG="1").stderr


def test_a_word_in_place_of_an_exit_code_is_said() -> None:
    assert end("sys.exit('why')").stderr == "why\n"


def test_all_output_is_written_before_the_end() -> None:
    assert end("print('x' * 100_000, end='')").stdout == "x" * 100_000


def test_output_that_finds_no_room_is_an_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = end("print('result')", stdout=full)
    os.close(full)
    assert done.returncode == 1
    assert done.stderr == "error: The output could not be written: No space left on device.\n"


def test_a_reader_that_has_read_enough_hears_no_complaint() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = end("print('result')", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_command_without_any_output_ends_well() -> None:
    done = subprocess.run(["/bin/sh", "-c", f"exec {HOLDFAST} version >&- 2>&-"], timeout=60)
    assert done.returncode == 0


def test_nothing_of_the_interpreters_end_is_waited_for() -> None:
    body = "import atexit; atexit.register(print, 'the end of the interpreter')"
    assert end(body).stdout == ""


def test_what_the_kubernetes_client_wrote_for_itself_is_removed(tmp_path: Path) -> None:
    body = "from kubernetes.config import kube_config; kube_config._create_temp_file_with_content(b'key')"
    assert end(body, TMPDIR=str(tmp_path)).returncode == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["version"], ["--help"]])
def test_the_command_line_itself_ends_so(words: list[str]) -> None:
    done = subprocess.run([HOLDFAST, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout
