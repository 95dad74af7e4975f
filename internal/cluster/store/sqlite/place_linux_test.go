package sqlite

import (
	"strings"
	"testing"
)

func TestFuseMount(t *testing.T) {
	const mounts = `24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 24 0:40 / /mnt/far rw,nosuid shared:2 master:3 - fuse.sshfs host:/srv rw
32 24 0:41 / /mnt/near rw - fuseblk /dev/sdb1 rw
33 24 0:42 / /mnt/gluster rw - fuse.glusterfs host:/vol rw
broken line
`
	tests := []struct {
		name, device string
		want         string // "": local
	}{
		{"a disk is local", "254:0", ""},
		{"sshfs is another machine", "0:40", "fuse.sshfs"},
		{"a FUSE driver of a local disk is local", "0:41", ""},
		{"glusterfs is other machines", "0:42", "fuse.glusterfs"},
		{"what is not listed counts as local", "9:9", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, remote := fuseMount(mounts, tt.device); got != tt.want || remote != (tt.want != "") {
				t.Errorf("it is %q, remote %t; want %q", got, remote, tt.want)
			}
		})
	}
}

func TestCheckPlace_TakesALocalFolderAndSaysWhatIsMissing(t *testing.T) {
	if err := checkPlace(t.TempDir()); err != nil {
		t.Error(err)
	}
	if err := checkPlace("/nonexistent/folder"); err == nil || !strings.Contains(err.Error(), "/nonexistent/folder") {
		t.Errorf("the error is %v, want one with the folder", err)
	}
}

func FuzzFuseMount(f *testing.F) {
	f.Add("31 24 0:40 / /mnt rw - fuse.sshfs h:/ rw\n", "0:40")
	f.Add(" - \n- - -\n", "")
	f.Fuzz(func(t *testing.T, mounts, device string) {
		if name, remote := fuseMount(mounts, device); remote != (name != "") {
			t.Errorf("%q, %t", name, remote)
		}
	})
}
