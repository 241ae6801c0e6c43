"""Models that can be fetched by name: from their public address into the user's folder of models, or not at all.

    zoo.py        which models there are: addresses, sizes, checksums, what their passports say
    download.py   one file over HTTP: resumed, checked, tried again when the line is cut or stalls
    install.py    a folder of verified files becomes a model folder in one rename

This is the only room that uses the network, and `pull` the only call that does. It never runs a model.
"""

from ctxsearch.pull.install import ProgressListener, pull

__all__ = ["ProgressListener", "pull"]
