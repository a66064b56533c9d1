"""Evaluation of observers: accuracy, attacks, judging metamers."""
