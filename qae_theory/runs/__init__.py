"""Result folders: how a run is named, written whole, found again and read; the settings that it is made from."""
