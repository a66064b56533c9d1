"""How results of each kind are told and drawn: a :class:`~beholder.analysis.ResultKind` in a file of its name."""
