"""Long measurements behind the chapters, each with one file that it goes on with."""
