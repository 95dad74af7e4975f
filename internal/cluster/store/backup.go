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
	"slices"
	"time"

	"github.com/evergate/evergate/internal/cluster/store/migrations"
	"github.com/evergate/evergate/internal/cluster/store/sqlite"
)

// ErrExists says that there is something where a backup, a restore or a copy
// would put its own.
var ErrExists = errors.New("it is there already")

// ErrUsePgDump says that PostgreSQL is backed up by its own tools; the error
// around it names the command.
var ErrUsePgDump = errors.New("PostgreSQL is backed up by its own tools")

// manifestName is the archive's first file.
const manifestName = "manifest.json"

// manifest says what is in a backup. Files are in the order of the archive.
type manifest struct {
	Format int       `json:"format"` // 1
	MadeAt time.Time `json:"made_at"`
	Schema int64     `json:"schema"` // newest version that the maker knew
	Store  string    `json:"store"`  // Identity.Store
	Files  []member  `json:"files"`  // core.db, then what else was asked for
}

type member struct {
	Name   string `json:"name"` // below data_dir, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Backup writes one moment of the store to the new file to, while it is in use: a
// gzipped tar of a manifest, core.db, and extra files of data_dir (keys, when the
// operator asks for them), named relative to it. The file is complete and on the
// disk, or not there. It is readable by its user only.
func (s *Store) Backup(ctx context.Context, to string, extra ...string) error {
	if s.kind == Postgres {
		return fmt.Errorf("back up the store: %w: %s", ErrUsePgDump, s.postgres.DumpHint())
	}
	engine, err := s.readable()
	if err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	local := engine.(interface { // *sqlite.DB; the only one that is not Postgres
		Snapshot(ctx context.Context, path string) error
	})
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("back up the store to %s: %w", to, ErrExists)
	}
	work, err := os.MkdirTemp(filepath.Dir(to), ".evergate-backup-")
	if err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	defer os.RemoveAll(work)
	snapshot := filepath.Join(work, sqlite.FileName)
	if err := local.Snapshot(ctx, snapshot); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	id, _, err := sqlite.Verify(ctx, snapshot, migrations.VersionTable)
	if err != nil {
		return fmt.Errorf("back up the store: the copy is not sound: %w", err)
	}
	sources := map[string]string{sqlite.FileName: snapshot}
	names := []string{sqlite.FileName}
	for _, name := range extra {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("back up the store: %s is not in data_dir", name)
		}
		name = filepath.ToSlash(filepath.Clean(name))
		names, sources[name] = append(names, name), filepath.Join(s.opts.Dir, name)
	}
	m := manifest{Format: 1, MadeAt: s.opts.Clock.Now().UTC().Truncate(time.Second), Schema: migrations.Newest(), Store: id.Store}
	for _, name := range slices.Compact(names) {
		file, err := measure(name, sources[name])
		if err != nil {
			return fmt.Errorf("back up the store: %w", err)
		}
		m.Files = append(m.Files, file)
	}
	archive := filepath.Join(work, "archive")
	if err := pack(ctx, archive, m, sources); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	// A link and not a rename: it refuses a file that came meanwhile.
	if err := os.Link(archive, to); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	return syncDir(filepath.Dir(to))
}

// measure returns size and checksum of the file at path.
func measure(name, path string) (member, error) {
	file, err := os.Open(path)
	if err != nil {
		return member{}, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	return member{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// pack writes the archive and syncs it.
func pack(ctx context.Context, path string, m manifest, sources map[string]string) (err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closing := out.Close(); err == nil {
			err = closing
		}
	}()
	zipped := gzip.NewWriter(out)
	archive := tar.NewWriter(zipped)
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: m.MadeAt}); err != nil {
		return err
	}
	if _, err := archive.Write(text); err != nil {
		return err
	}
	for _, file := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := packOne(archive, file, sources[file.Name], m.MadeAt); err != nil {
			return fmt.Errorf("pack %s: %w", file.Name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := zipped.Close(); err != nil {
		return err
	}
	return out.Sync()
}

func packOne(archive *tar.Writer, file member, source string, at time.Time) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := archive.WriteHeader(&tar.Header{Name: file.Name, Mode: 0o600, Size: file.Size, ModTime: at}); err != nil {
		return err
	}
	_, err = io.Copy(archive, io.LimitReader(in, file.Size))
	return err
}
