"""The conformance suite that a plug-in runs."""
