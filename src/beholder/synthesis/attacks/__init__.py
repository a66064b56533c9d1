"""Perturbations that make a network wrong, inside a ball of a norm: functions of tensors."""
