"""Pictures: files, arrays, exposure, graded versions."""
