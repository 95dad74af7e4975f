package store

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
	"github.com/evergate/evergate/internal/cluster/store/migrations"
	"github.com/evergate/evergate/internal/cluster/store/sqlite"
)

// manifestLimit is more than a manifest ever needs, in bytes.
const manifestLimit = 1 << 20

// Restore puts what Backup wrote to from into the data_dir dir. All is unpacked
// beside, its checksums are compared and the database is looked through, before
// anything is replaced. It refuses a data_dir that an Evergate has open (in spite
// of force), and with ErrExists one that has a core.db, unless force is set: then
// the files that were there stay beside under the names in kept.
func Restore(ctx context.Context, from, dir string, force bool) (kept []string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore %s to %s: %w", from, dir, err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	release, err := sqlite.LockAlone(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	if _, err := os.Lstat(filepath.Join(dir, sqlite.FileName)); err == nil && !force {
		return nil, fmt.Errorf("%s: %w; with --force it is kept beside under another name", sqlite.FileName, ErrExists)
	}
	work, err := os.MkdirTemp(dir, ".evergate-restore-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	m, err := unpack(ctx, from, work)
	if err != nil {
		return nil, err
	}
	if err := checkRestored(ctx, filepath.Join(work, sqlite.FileName)); err != nil {
		return nil, err
	}
	return exchange(m, work, dir, force)
}

// unpack writes the members of the archive into work, synced, and compares them
// with the manifest.
func unpack(ctx context.Context, from, work string) (m manifest, err error) {
	in, err := os.Open(from)
	if err != nil {
		return m, err
	}
	defer in.Close()
	zipped, err := gzip.NewReader(in)
	if err != nil {
		return m, notBackup(err)
	}
	archive := tar.NewReader(zipped)
	if m, err = readManifest(archive); err != nil {
		return m, err
	}
	for _, file := range m.Files {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		header, err := archive.Next()
		if err != nil {
			return m, notBackup(err)
		}
		if header.Name != file.Name || header.Size != file.Size || header.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(file.Name)) {
			return m, notBackup(fmt.Errorf("found %q where the manifest has %q", header.Name, file.Name))
		}
		if err := unpackOne(archive, file, filepath.Join(work, filepath.FromSlash(file.Name))); err != nil {
			return m, err
		}
	}
	// The checksum of gzip is behind the last byte.
	if _, err := io.Copy(io.Discard, zipped); err != nil {
		return m, notBackup(err)
	}
	return m, nil
}

func notBackup(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("it is no backup of Evergate, or not whole: %w", err)
}

func readManifest(archive *tar.Reader) (m manifest, err error) {
	header, err := archive.Next()
	if err != nil {
		return m, notBackup(err)
	}
	if header.Name != manifestName || header.Size > manifestLimit {
		return m, notBackup(fmt.Errorf("it begins with %q", header.Name))
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return m, notBackup(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, notBackup(err)
	}
	if m.Format != 1 {
		return m, fmt.Errorf("a newer Evergate made it (format %d); restore it with that release", m.Format)
	}
	if len(m.Files) == 0 || m.Files[0].Name != sqlite.FileName {
		return m, notBackup(errors.New("it has no " + sqlite.FileName))
	}
	return m, nil
}

func unpackOne(archive io.Reader, file member, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closing := out.Close(); err == nil {
			err = closing
		}
	}()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), archive); err != nil {
		return notBackup(err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != file.SHA256 {
		return notBackup(fmt.Errorf("the checksum of %s is wrong", file.Name))
	}
	return out.Sync()
}

// checkRestored refuses a damaged database and a newer one.
func checkRestored(ctx context.Context, path string) error {
	_, version, err := sqlite.Verify(ctx, path, migrations.VersionTable)
	if err != nil {
		return err
	}
	if know := migrations.Newest(); version > know {
		return &dialect.Fault{
			Kind:   ErrNewerSchema,
			Doing:  fmt.Sprintf("its schema is version %d and this Evergate knows up to %d", version, know),
			Advice: "Restore it with the Evergate release that made it, or a newer one.",
		}
	}
	return nil
}

// exchange moves the members from work to dir, and what was there aside.
func exchange(m manifest, work, dir string, force bool) (kept []string, err error) {
	aside := ".before-restore-" + time.Now().UTC().Format("20060102T150405.000Z")
	keep := func(path string) error {
		err := os.Rename(path, path+aside)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			kept = append(kept, path+aside)
		}
		return err
	}
	for _, file := range m.Files[1:] {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(file.Name))); err == nil && !force {
			return nil, fmt.Errorf("%s: %w; with --force it is kept beside under another name", file.Name, ErrExists)
		}
	}
	// The log of the old database would be taken for one of the new: it goes first,
	// and the database is the last to come.
	database := filepath.Join(dir, sqlite.FileName)
	for _, path := range append(sqlite.Files(database), database) {
		if err := keep(path); err != nil {
			return kept, err
		}
	}
	for i := len(m.Files) - 1; i >= 0; i-- {
		name := filepath.FromSlash(m.Files[i].Name)
		target := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return kept, err
		}
		if err := keep(target); err != nil {
			return kept, err
		}
		if err := os.Rename(filepath.Join(work, name), target); err != nil {
			return kept, err
		}
		if err := syncDir(filepath.Dir(target)); err != nil {
			return kept, err
		}
	}
	return kept, nil
}
