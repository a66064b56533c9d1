"""Pictures and sounds being made: parameterizations, transforms, constraints."""
