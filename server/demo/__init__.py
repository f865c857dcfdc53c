"""The demo: three voices talk with each other through a real server over real RTP, and it is proved by sound.

`voices` makes the speech, `server_process` runs the server, `talk` makes the calls, `analysis` finds out who heard
whom, `checks` decides whether all of it held, `cli` is the command and its output.
"""

from server.demo.cli import demo as demo
