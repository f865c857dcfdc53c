"""Recordings as files: frames of sound in, published recordings out. A library that knows nothing of the rest.

`recording.catalog` is all of it that the server imports: messages, manifests, what is in the folder. The mixer
writes into `recording.feed`; `recording.process` is the process that empties it. Everything else is how frames
become capture files that survive a crash, and capture files become a published recording.
"""
