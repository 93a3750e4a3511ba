"""The files of a volume: read into an archive, and put back beside those that are there, then in their place.

Read twice, before the database and after it: a row's file is in the backup, whether it was written
before the first reading or between both. See docs/backup.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.container_commands import PATH, VolumeShell

# What a restore needs in the volume itself, so that files only have to be renamed in the end.
STAGING = ".medianest-restore"
READ = ("DAC_READ_SEARCH",)
WRITE = ("DAC_OVERRIDE", "FOWNER", "CHOWN")
# tar says 1 for files that changed or went while they were read, which the second reading is for.
READ_WELL = (0, 1)

_TAR = (
    "tar --create --file=- --format=posix --pax-option=delete=atime,delete=ctime --numeric-owner "
    f"--warning=no-file-changed --anchored --exclude={PATH[1:]}/{STAGING} --directory=/"
)
# From outside, so that the volume's own owner and mode are in the archive, which the engine drops of `.`.
_FIRST = f"date +%s >&2; exec {_TAR} {PATH[1:]}"
_SECOND = f'exec {_TAR} --newer="@$1" {PATH[1:]}'

# Each step can be cut off and done again. `moved` says that all that was there is in `old`.
_PREAMBLE = f"""cd {PATH}
staging={PATH}/{STAGING}
new=$staging/{PATH[1:]}
each() {{ find "$1" -mindepth 1 -maxdepth 1 ! -name {STAGING} -exec mv -n -t "$2" {{}} +; }}
"""
_PREPARE = f'{_PREAMBLE}rm -rf "$staging"; mkdir -m 0700 "$staging" "$new" "$staging/old"'
_SWAP = f"""{_PREAMBLE}
[ -d "$staging" ] || exit 0
[ -e "$staging/moved" ] || {{
  each {PATH} "$staging/old"
  chown --reference={PATH} "$staging/old"; chmod --reference={PATH} "$staging/old"; touch "$staging/moved"
}}
each "$new" {PATH}
chown --reference="$new" {PATH}; chmod --reference="$new" {PATH}
sync {PATH}
"""
_TAKE_BACK = f"""{_PREAMBLE}
[ -d "$staging" ] || exit 0
if [ -e "$staging/moved" ]; then
  each {PATH} "$new"
  chown --reference="$staging/old" {PATH}; chmod --reference="$staging/old" {PATH}; rm "$staging/moved"
fi
[ ! -d "$staging/old" ] || each "$staging/old" {PATH}
rm -rf "$staging"
"""
_FORGET = f'{_PREAMBLE}rm -rf "$staging"'


@dataclass
class Files:
    """The files of one volume."""

    shell: VolumeShell
    volume: str
    began: str = ""

    def all(self) -> Iterator[bytes]:
        """Everything, as a tar archive, and remembers since when."""
        said = bytearray()
        yield from self._read(_FIRST, (), said)
        self.began = said.decode(errors="replace").split("\n", 1)[0]

    def since(self) -> Iterator[bytes]:
        """What is new or was changed since `all` began. A second counts for both: times are coarse."""
        yield from self._read(_SECOND, (str(int(self.began) - 1),), bytearray())

    def _read(self, script: str, arguments: tuple[str, ...], said: bytearray) -> Iterator[bytes]:
        yield from self.shell.output(
            self.volume,
            script,
            f"reading volume {self.volume}",
            capabilities=READ,
            arguments=arguments,
            read_only=True,
            accepted=READ_WELL,
            on_error_output=said.extend,
        )

    def prepare(self) -> None:
        """Make room for the restored files."""
        self._change(_PREPARE)

    def stage(self, archive: Iterable[bytes]) -> None:
        """Unpack an archive beside what is there; a later one overwrites an earlier one."""
        self.shell.unpack(self.volume, STAGING, archive)

    def put_in_place(self) -> None:
        """Swap what is there with what is staged; nothing where nothing is."""
        self._change(_SWAP)

    def take_back(self) -> None:
        """Undo a restore, how far it may have come."""
        self._change(_TAKE_BACK)

    def forget_former(self) -> None:
        self._change(_FORGET)

    def empty(self) -> None:
        """Delete everything."""
        self._change(f"find {PATH} -mindepth 1 -delete")

    def _change(self, script: str) -> None:
        self.shell.run(self.volume, script, f"changing volume {self.volume}", capabilities=WRITE)
