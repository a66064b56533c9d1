"""``beholder verify``: whether outputs hold what was written to them."""

from __future__ import annotations

from beholder.cli._options import Json, make_app, print_json

app = make_app("verify")


@app.default
def verify(path: str, /, *, dry_run: bool = False, json: Json = False) -> None:
    """Hold outputs against the hashes that were taken as they were written; the next run makes what differs anew.

    Example: beholder verify activations/

    Parameters
    ----------
    path
        An output (a .zarr store, metamers/{model}, a panel .h5 file, ...) or a folder that holds some, at any depth.
    dry_run
        Only look: keep the receipts of what is damaged or missing, which are dropped otherwise, so that the command
        that made it computes exactly that anew.
    json
        Print one JSON document: tables outputs, files.
    """
    from beholder.cli._verify_run import describe_checks, refuse_damage, tabulate_checks
    from beholder.jobs import verify_outputs

    checks = verify_outputs(path, repair=not dry_run)
    if json:
        print_json(tabulate_checks(checks))
    else:
        print("\n".join(describe_checks(checks)))
    refuse_damage(checks, repaired=not dry_run)
