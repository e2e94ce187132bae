"""What is shown of the state to one person, as JSON knows it: dollars are strings, points of charts are numbers."""
