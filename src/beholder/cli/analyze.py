"""``beholder analyze``: from activations, recordings and answers to tables, pictures and a page."""

from beholder.cli._analyze_agreement import agreement
from beholder.cli._analyze_anova import anova
from beholder.cli._analyze_cka import cka
from beholder.cli._analyze_combine import combine
from beholder.cli._analyze_decode import decode, tuning
from beholder.cli._analyze_encode import encode
from beholder.cli._analyze_interpretability import interpretability
from beholder.cli._analyze_mixed import mixed
from beholder.cli._analyze_power import power
from beholder.cli._analyze_probe import probe
from beholder.cli._analyze_psychometrics import psychometrics
from beholder.cli._analyze_recognition import recognition
from beholder.cli._analyze_regressions import regressions
from beholder.cli._analyze_rsa import rsa
from beholder.cli._analyze_searchlight import searchlight
from beholder.cli._analyze_sounds import sounds
from beholder.cli._flags import make_app

app = make_app("analyze")
for _command in (
    rsa, cka, combine, searchlight, encode, decode, probe, tuning, sounds, regressions, recognition, agreement,
    interpretability, anova, mixed, psychometrics, power,
):  # fmt: skip
    app.command(_command)
