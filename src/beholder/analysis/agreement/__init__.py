"""Agreement of observers: whether people and networks fail on the same stimuli, and give the same wrong answers."""
