package sqlite

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// networkFS are the file systems that other machines see too, by statfs(2)'s
// magic number.
var networkFS = map[uint32]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.AFS_FS_MAGIC:     "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	unix.NCP_SUPER_MAGIC:  "NCP",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.V9FS_MAGIC:       "9p",
	0x0bd00bd0:            "Lustre",
	0x7461636f:            "OCFS2",
	0x01161970:            "GFS2",
	0x19830326:            "BeeGFS",
	0x47504653:            "GPFS",
}

// remoteFUSE are programs behind FUSE, whose one magic number does not tell a
// local disk from another machine.
var remoteFUSE = []string{"sshfs", "glusterfs", "s3fs", "cephfs", "ceph-fuse", "rclone", "davfs", "juicefs", "gcsfuse", "goofys", "blobfuse", "moosefs", "mfs", "lizardfs"}

// checkPlace refuses a folder on a network file system with ErrNetworkFS.
func checkPlace(dir string) error {
	var info unix.Statfs_t
	if err := unix.Statfs(dir, &info); err != nil {
		return fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	name, remote := networkFS[uint32(info.Type)]
	if !remote && uint32(info.Type) == unix.FUSE_SUPER_MAGIC {
		name, remote = fuseProgram(dir)
	}
	if !remote {
		return nil
	}
	return &dialect.Fault{Kind: dialect.ErrNetworkFS, Doing: fmt.Sprintf("open %s on %s", dir, name), Advice: adviceNetwork}
}

// fuseProgram reports whether the FUSE mount that holds dir is one of
// remoteFUSE. What cannot be found out counts as local.
func fuseProgram(dir string) (name string, remote bool) {
	var stat unix.Stat_t
	if unix.Stat(dir, &stat) != nil {
		return "", false
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", false
	}
	return fuseMount(string(text), fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev)))
}

// fuseMount looks device up in the lines of mountinfo (proc(5)): id, parent,
// major:minor, ..., "-", type, source.
func fuseMount(mountinfo, device string) (name string, remote bool) {
	for line := range strings.Lines(mountinfo) {
		front, back, found := strings.Cut(line, " - ")
		fields := strings.Fields(front)
		if !found || len(fields) < 3 || fields[2] != device {
			continue
		}
		kind, _, _ := strings.Cut(back, " ")
		for _, program := range remoteFUSE {
			if strings.Contains(kind, program) {
				return kind, true
			}
		}
	}
	return "", false
}

// room returns how many bytes of dir's file system this user may still fill.
func room(dir string) (int64, error) {
	var info unix.Statfs_t
	if err := unix.Statfs(dir, &info); err != nil {
		return 0, err
	}
	return int64(info.Bavail) * int64(info.Bsize), nil
}
