"""What the server knows of recordings: messages to recorders, manifests, the folder, how to start the children.

This is all of `recording` that the server imports, and it needs neither numpy nor codecs: publishing happens in
the recorder, repair and rendering in child processes.
"""

from recording.catalog.checking import MalformedError
from recording.catalog.children import (
    FORMATS,
    Format,
    NothingToRenderError,
    render_command,
    render_path,
    rendered_name,
    repair_command,
)
from recording.catalog.feeds import create_feed
from recording.catalog.folder import Listed, RecordingsFolder
from recording.catalog.manifest import (
    Files,
    Gap,
    Manifest,
    Pause,
    PublishedFile,
    PublishedTrack,
    RecordedParticipant,
    Span,
    Status,
    Trim,
)
from recording.catalog.messages import (
    Failed,
    FailureReason,
    Finish,
    Finished,
    Note,
    NoteKind,
    Progress,
    RecorderCommand,
    RecorderConfig,
    RecorderReport,
    Started,
    dump,
    dump_config,
    load_command,
    load_config,
    load_report,
)
from recording.catalog.names import folder_name, recording_id_of
from recording.catalog.retention import Kept, to_delete

__all__ = [
    "FORMATS",
    "Failed",
    "FailureReason",
    "Files",
    "Finish",
    "Finished",
    "Format",
    "Gap",
    "Kept",
    "Listed",
    "MalformedError",
    "Manifest",
    "Note",
    "NoteKind",
    "NothingToRenderError",
    "Pause",
    "Progress",
    "PublishedFile",
    "PublishedTrack",
    "RecordedParticipant",
    "RecorderCommand",
    "RecorderConfig",
    "RecorderReport",
    "RecordingsFolder",
    "Span",
    "Started",
    "Status",
    "Trim",
    "create_feed",
    "dump",
    "dump_config",
    "folder_name",
    "load_command",
    "load_config",
    "load_report",
    "recording_id_of",
    "render_command",
    "render_path",
    "rendered_name",
    "repair_command",
    "to_delete",
]
