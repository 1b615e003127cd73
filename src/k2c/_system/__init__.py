"""What every part of the kit stands on: text that is safe to print, results that a notebook keeps."""
