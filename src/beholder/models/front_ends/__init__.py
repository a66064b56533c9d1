"""Sound to what a network hears: cochleagrams, mel spectrograms, features."""
