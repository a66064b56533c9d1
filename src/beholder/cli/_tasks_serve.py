"""``beholder tasks serve``, ``import``, ``export``, ``status``, ``backup``, …: people in, data out."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from beholder._core.durations import DAY_S
from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.cli._flags import OutputFlags, list_files

if TYPE_CHECKING:
    from beholder.responses import Responses

Database = Annotated[str, Parameter(name="--db")]

LAN_WARNING = (
    "anybody with this link can take part; it goes over plain http, so others in this network can read answers and\n"
    "change pages: for colleagues and try-outs, not for data of participants"
)
_LONGEST_WAIT_S = 365 * DAY_S


def serve(
    folder: str,
    /,
    *,
    db: Database,
    port: int = 8000,
    host: str = "127.0.0.1",
    public: str | None = None,
    lan: bool = False,
    per_task: int | None = None,
    fill: Literal["finished", "included"] = "finished",
    release_after: Annotated[float, Parameter(name="--release-after")] = 120.0,
) -> None:
    """Run a built experiment in the browsers of people who take part, until Ctrl-C. Started again, it goes on.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks serve exp_data --db answers.db

    Parameters
    ----------
    folder
        What beholder tasks build wrote.
    db
        The file of answers, made if it is not there.
    port
        Where it listens; 0 takes a free one.
    host
        Address it listens on; the default is this machine alone.
    public
        The https address that people open, of a reverse proxy in front. Needed for any --host but this machine.
    lan
        Let people in the same network take part by the link that is printed, over plain http: for colleagues in a lab.
        Others in that network can read along.
    per_task
        How many people may take each task; further ones are told that it is full. Default no bound.
    fill
        Who takes a place for good: all who finished, or only those of them who break no rule of exclusion, so that
        excluded people are replaced.
    release_after
        Minutes of doing nothing after which a task counts as left and is given to somebody else.
    """
    from beholder.experiments import check_public, open_store, read_experiment
    from beholder.experiments import serve as run

    host = "0.0.0.0" if lan and host == "127.0.0.1" else host
    _check_flags(host, public, lan, per_task, release_after)
    seen = None if public is None else check_public(public)
    experiment = read_experiment(folder)

    def tell(url: str) -> None:
        print(f"{experiment}", flush=True)
        print(f"answers go to {db}; stop with Ctrl-C, start again to go on", flush=True)
        print(f"open {seen or url}", flush=True)
        if lan:
            print(LAN_WARNING, flush=True)

    with open_store(experiment, db) as store:
        run(
            experiment, store, host=host, port=port, on_start=tell, public=seen, lan=lan, per_task=per_task,
            fill=fill, release_after_s=release_after * 60,
        )  # fmt: skip


def _check_flags(host: str, public: str | None, lan: bool, per_task: int | None, release_after: float) -> None:
    if lan and public is not None:
        raise InputError("--lan or --public", got="both", hint="--public, whose connections nobody reads along")
    if not lan and public is None and host not in ("127.0.0.1", "localhost", "::1"):
        raise InputError(
            "--public and the https address that people open, for a --host that others can reach", got=f"--host {host}",
            hint="the default --host behind a reverse proxy, or --lan for colleagues in one network",
        )  # fmt: skip
    if per_task is not None and per_task < 1:
        raise InputError("--per_task of 1 or more", got=str(per_task))
    if not release_after > 0:
        raise InputError("--release_after above 0", got=f"{release_after:g}")


def import_(
    folder: str,
    files: Annotated[list[str], Parameter(consume_multiple=True)],
    /,
    *,
    db: Database,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Take what pages of build --static collected into a file of answers, as if a server had; then export it.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build --static
    Example: beholder tasks import exp_data collected/ --db answers.db

    Parameters
    ----------
    folder
        The built folder that the pages were written from.
    files
        What the pages handed over, or folders of it: JSON files, result data exported by JATOS (a record a line), batch
        results of MTurk (CSV). Given again, what is there already changes nothing.
    db
        The file of answers, made if it is not there.
    """
    from beholder.experiments import import_collected, read_experiment

    taken = import_collected(read_experiment(folder), files, db)
    counts = {
        "new": taken.n_new, "there_already": taken.n_known, "repeated": len(taken.left_out), "others": taken.n_others,
    }  # fmt: skip
    told = [f"{format_count(taken.n_new, 'participant')} taken into {db}"]
    told += [f"{taken.n_known} were there already"] if taken.n_known else []
    told += [f"{len(taken.left_out)} left out, who had taken part before"] if taken.left_out else []
    told += [f"{format_count(taken.n_others, 'record')} of something else"] if taken.n_others else []
    output.print(["; ".join(told)], {"import": [counts]})


def export(
    folder: str | None = None,
    /,
    *,
    db: Database,
    out: Annotated[str, Parameter(name=["--out", "-o"])] = "responses",
    bom: bool = False,
    dates: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Write the answers as CSV and Parquet: everything, and what the rules of exclusion leave.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db --out responses

    Parameters
    ----------
    folder
        The built experiment, to check that the answers are to it; not needed.
    db
        The file of answers; a server may go on writing to it.
    out
        The folder to write.
    bom
        Begin CSV files with a byte order mark, by which Excel knows that they are UTF-8.
    dates
        Give participants.csv the day, in UTC, on which each session began.
    """
    from beholder.responses import export_responses

    if folder is not None:
        from beholder.experiments import check_answers, read_experiment

        check_answers(read_experiment(folder), db)
    made = export_responses(db, out, bom=bom, dates=dates)
    counts, told = _count(made.responses)
    lines = [told, *(f"wrote {path}" for path in made.files)]
    output.print(lines, {"export": [counts], "files": list_files(made.files)})


def _count(found: Responses) -> tuple[dict[str, int], str]:
    """Participants and answers, as numbers and in words."""
    rows = found.participants
    kept = rows[~rows["excluded"].astype(bool)]
    n, n_in = (len(set(table["participant"])) for table in (rows, kept))
    n_trials, n_included = len(found.trials), len(found.included)
    counts = {"participants": n, "included": n_in, "answers": n_trials, "answers_included": n_included}
    told = [format_count(n, "participant"), format_count(n_in, "participant")]
    if found.n_visits > 1:
        counts |= {"sessions": len(rows), "sessions_included": len(kept)}
        told = [
            f"{each} in {format_count(len(table), 'session')}" for each, table in zip(told, (rows, kept), strict=True)
        ]
    answers = format_count(n_trials, "answer"), format_count(n_included, "answer")
    return counts, f"{answers[0]} of {told[0]}; included: {answers[1]} of {told[1]}"


def status(*, db: Database, watch: float | None = None, output: OutputFlags = OutputFlags()) -> None:
    """How many take part, how far they are, how fast, and who is excluded; while the server runs, too.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks status --db simulated.db

    Parameters
    ----------
    db
        The file of answers.
    watch
        Show it again every so many seconds, until Ctrl-C.
    """
    from beholder.responses import read_status

    found = read_status(db)
    output.print(found.to_lines(), found.to_tables())
    with contextlib.suppress(KeyboardInterrupt):
        while watch is not None and not output.json:
            time.sleep(min(max(0.2, watch), _LONGEST_WAIT_S))
            print("\n" + "\n".join(read_status(db).to_lines()), flush=True)


def backup(out: str, /, *, db: Database) -> None:
    """Copy the file of answers as of one moment, without stopping the server.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks backup copy.db --db simulated.db

    Parameters
    ----------
    out
        The copy; a file that is there is not replaced.
    db
        The file of answers.
    """
    from beholder.responses import backup_responses

    print(f"wrote {backup_responses(db, out)}")


def upgrade(out: str, /, *, db: Database) -> None:
    """Copy a file of answers that an earlier version wrote into the format of this one, which serve goes on with.

    Example: beholder tasks upgrade answers-2.db --db answers.db

    Parameters
    ----------
    out
        The copy; a file that is there is not replaced.
    db
        The file of answers; stop its server first. It stays as it is.
    """
    from beholder.responses import upgrade_responses

    print(f"wrote {upgrade_responses(db, out)}; serve that one from now on")


def forget(*, db: Database) -> None:
    """Delete what recruiters call the participants, for good: at the end, when everybody is paid.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks forget --db simulated.db

    Parameters
    ----------
    db
        The file of answers; the server must be stopped.
    """
    from beholder.responses import forget_recruits

    told = format_count(forget_recruits(db), "participant")
    print(f"deleted the recruiter's ids of {told}, and the key of their names, from {db}")
