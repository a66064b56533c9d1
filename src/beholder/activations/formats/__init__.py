"""Other programs' formats: HDF5, MATLAB, text, NumPy."""
