package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// initFiles writes the first numbers of track files, at start only: into those
// that are not there, and with overwrite into all.
func initFiles(log *zap.Logger, files []config.TrackFile) {
	for i := range files {
		f := &files[i]
		if !f.InitFile.Set {
			continue
		}
		if err := initFile(f); err != nil {
			log.Warn("track file "+f.Name+" cannot be initialised", zap.Error(err))
		}
	}
}

// initFile does not follow a link: somebody else may have put it there.
func initFile(f *config.TrackFile) error {
	flags := os.O_WRONLY | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	if f.Overwrite {
		flags |= os.O_TRUNC
	} else {
		flags |= os.O_EXCL
	}
	file, err := os.OpenFile(f.File, flags, 0o600)
	if !f.Overwrite && errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, f.InitFile.Value)
	return errors.Join(err, file.Close())
}
