package certstore

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// write makes f the file of its key, so that after a crash there is the old one
// or the new one, and after a power cut, once it returned nil, the new one.
func (d *disk) write(f file) error {
	name := d.path(f.key)
	if err := d.mkdir(filepath.Dir(name)); err != nil {
		return err
	}
	return d.replace(name, f.value, time.UnixMilli(f.at))
}

func (d *disk) replace(name string, content []byte, at time.Time) (err error) {
	dir := filepath.Dir(name)
	temp, err := os.CreateTemp(dir, tempPrefix) // 0600
	if err != nil {
		return err
	}
	defer func() {
		temp.Close() // the second time does nothing
		if err != nil {
			_ = os.Remove(temp.Name()) // the error that counts is the first
		}
	}()
	if err := d.step(stepWrite); err != nil {
		return err
	}
	if _, err := temp.Write(content); err != nil {
		return err
	}
	if err := os.Chtimes(temp.Name(), at, at); err != nil {
		return err
	}
	if err := d.step(stepSync); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := d.step(stepRename); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), name); err != nil {
		return err
	}
	if err := d.step(stepSyncDir); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return d.step(stepDone)
}

// mkdir makes dir and what is missing above it, durably.
func (d *disk) mkdir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return syncDir(filepath.Dir(dir))
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir):
		if err := d.mkdir(filepath.Dir(dir)); err != nil {
			return err
		}
		return d.mkdir(dir)
	}
	return err
}

// drop removes key and everything below it, and the folders above that are empty
// then.
func (d *disk) drop(key string) error {
	if err := d.step(stepRemove); err != nil {
		return err
	}
	name := d.path(key)
	err := os.RemoveAll(name)
	if err != nil && !errors.Is(notDir(err), fs.ErrNotExist) {
		return err
	}
	for dir := filepath.Dir(name); len(dir) > len(d.dir); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil { // not empty, or gone
			if err := syncDir(dir); err != nil && !errors.Is(notDir(err), fs.ErrNotExist) {
				return err
			}
			return nil
		}
	}
	if err := syncDir(d.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// buriedFile is the list of deletions: a JSON object of keys and times. It lies
// beside the folder, where no key can be.
func (d *disk) buriedFile() string { return d.dir + ".deleted" }

// exhume reads the list of deletions once, and removes what a crash has left of
// them.
func (d *disk) exhume() error {
	if d.buried != nil {
		return nil
	}
	buried := map[string]int64{}
	content, err := os.ReadFile(d.buriedFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(content, &buried); err != nil {
			// Certificates must be renewed whatever became of this list.
			d.log.Error("the list of deleted certificate files is damaged and is begun anew; what was deleted while the store was away may come back",
				"file", d.buriedFile(), "err", err)
			buried = map[string]int64{}
		}
	}
	for key, deleted := range buried {
		if checkKey(key) != nil {
			delete(buried, key)
			continue
		}
		if at := d.at(key); at > 0 && at <= deleted {
			if err := d.drop(key); err != nil {
				return err
			}
		}
	}
	d.buried = buried
	return nil
}

// unbury takes key off the list of deletions.
func (d *disk) unbury(key string) error {
	if _, is := d.buried[key]; !is {
		return nil
	}
	rest := maps.Clone(d.buried)
	delete(rest, key)
	return d.writeBuried(rest)
}

// writeBuried makes buried the list of deletions, on disk and then here.
func (d *disk) writeBuried(buried map[string]int64) error {
	if len(buried) == 0 {
		if err := os.Remove(d.buriedFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		d.buried = buried
		return nil
	}
	content, err := json.Marshal(buried)
	if err != nil {
		return err
	}
	if err := d.mkdir(filepath.Dir(d.dir)); err != nil {
		return err
	}
	if err := d.replace(d.buriedFile(), content, time.Now()); err != nil {
		return err
	}
	d.buried = buried
	return nil
}
