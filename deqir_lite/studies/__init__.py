"""Long measurements behind chapters and model cards, each with a file that it goes on with."""
