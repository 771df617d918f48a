"""`memcache-lsp threads`: list earlier questions and answers, show one, ask it again, compute it again, delete it.

The database is read here, for any number of processes may; only what needs the model goes to the daemon.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path
from typing import Any

from memcache_lsp import rendezvous
from memcache_lsp.cli import printed, remote, render, work
from memcache_lsp.cli.ask import INDEX_WAIT_S, show
from memcache_lsp.errors import UsageError, UserError
from memcache_lsp.threads import keeping
from memcache_lsp.threads.disk import Threads
from memcache_lsp.threads.fresh import Standing, is_stale, standing
from memcache_lsp.threads.keeping import on_disk
from memcache_lsp.threads.records import Thread, Turn, present

_STALE = "stale"


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.action == "list" and options.id:
        raise UsageError("`threads list` takes no ID; did you mean `threads show`?")
    if options.action != "list" and not options.id:
        raise UsageError(f"`threads {options.action}` takes the ID of a thread, or last.")
    root = work.resolve_root(options)
    with contextlib.closing(Threads()) as threads:
        if options.action == "list":
            return _list(threads, None if options.all else root, options)
        thread, number = _named(threads, options.id, root)
        turn = next((turn for turn in thread.turns if turn.number == number), None)
        if turn is None:
            raise UserError(f"The thread {thread.id} has no question {number}: `threads show` tells what there is.")
        match options.action:
            case "show":
                return _show(thread, options)
            case "delete":
                return _delete(threads, thread, options)
            case "again":
                return _again(thread.id, turn.number, options)
    return _replay(thread.id, turn, options)


def _named(threads: Threads, name: str, root: Path) -> tuple[Thread, int]:
    """Return the thread of a name and the number of the question that is meant, the last where none is."""
    if name == "last":
        name = threads.latest([str(root)])
    name, _, number = name.partition(".")
    thread = threads.get(name)
    last = present(thread.turns)[-1].number if thread.turns else 0
    return thread, int(number) if number.isdecimal() else last


def _list(threads: Threads, root: Path | None, options: argparse.Namespace) -> int:
    found = threads.listed(None if root is None else [str(root)])
    cited = threads.cited([thread.id for thread in found])
    for thread in found:
        stale = is_stale(standing([each for _, each in cited[thread.id]], on_disk))
        if options.json:
            render.print_json(
                {
                    "threadId": thread.id,
                    "title": thread.title,
                    "updated": _when(thread.updated_at),
                    "roots": thread.roots,
                    "stale": stale,
                }
            )
        else:
            print(
                render.printable(
                    f"{thread.id}  {_when(thread.updated_at)}  {_STALE if stale else '     '}  {thread.title}"
                )
            )
    if notice := threads.take_notice():
        work.notice(notice)
    return 0


def _show(thread: Thread, options: argparse.Namespace) -> int:
    for turn in thread.turns:
        standings = standing(turn.cited, on_disk)
        if options.json:
            render.print_json(_turn_to_json(thread, turn, standings))
            continue
        print(render.printable(f"{thread.id}.{turn.number}  {_when(turn.asked_at)}\n\n{turn.question}\n"))
        print(render.printable(turn.result.answer.rstrip() + "\n"))
        lines = []
        for each in standings:
            cited = each.cited
            place = render.place_of(cited.place.path, cited.start_line, cited.end_line, cited.spot)
            mark = "" if each.status == "fresh" else f"  ({each.status})"
            lines.append(render.printable(f"  [{cited.n}] {place}{mark}"))
        print("".join(f"{line}\n" for line in dict.fromkeys(lines)))
    return 0


def _turn_to_json(thread: Thread, turn: Turn, standings: tuple[Standing, ...]) -> dict[str, Any]:
    record = turn.record
    return {
        "turnId": f"{thread.id}.{turn.number}",
        "question": turn.question,
        "answer": turn.result.answer,
        "finishReason": turn.result.finish_reason,
        "stale": is_stale(standings),
        "citations": [
            {
                "n": each.cited.n,
                "root": each.cited.place.root,
                "path": each.cited.place.path,
                "startLine": each.cited.start_line,
                "endLine": each.cited.end_line,
                "status": each.status,
            }
            | printed.spot_to_json(each.cited.spot)
            for each in standings
        ],
    } | ({"model": Path(record.model).stem, "modelSha256": record.sha256} if record else {})


def _delete(threads: Threads, thread: Thread, options: argparse.Namespace) -> int:
    keeping.delete(threads, thread.id)
    if options.json:
        render.print_json({"type": "result", "deleted": thread.id})
    else:
        print(render.printable(f"Forgot {thread.title!r}."))
    return 0


def _again(thread_id: str, number: int, options: argparse.Namespace) -> int:
    options.model, options.no_model, options.max_tokens, options.thread = None, False, 256, None
    with work.at(options) as (engine, updating):
        with render.progress_bar("Indexing", "files") as bar:
            updating.wait(INDEX_WAIT_S, bar.show)
        with contextlib.closing(engine.ask_again(thread_id, number, options=options)) as events:
            reason = show(events, options)
    return 3 if reason == "no_answer" else 0


def _replay(thread_id: str, turn: Turn, options: argparse.Namespace) -> int:
    if options.no_daemon or not rendezvous.supported():
        from memcache_lsp.cli import generating  # noqa: PLC0415 - loads the model's library

        said, identical = generating.replayed(turn)
    else:
        root = work.resolve_root(options)
        with contextlib.closing(remote.join(root, options)) as there:
            wanted = {"action": "replay", "threadId": thread_id, "turnId": f"{thread_id}.{turn.number}"}
            replayed = there.connection.ask("memcache/threads", wanted)["replayed"]
        said, identical = replayed["answer"], replayed["identical"]
    if options.json:
        render.print_json({"type": "result", "answer": said, "identical": identical})
    else:
        print(render.printable(said.strip()))
        work.notice("The same came of it, to the byte." if identical else "Something else came of it.")
    return 0 if identical else UserError.exit_code


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
