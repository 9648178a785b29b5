package supervisor

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
)

// documents are those that a configuration has, as far as its part runs.
func (s *Supervisor) documents(c *config.Config) []dump.Document {
	var all []dump.Document
	for _, d := range dump.Documents(c) {
		if d.Process == "vrrp" && s.opts.NoVRRP || d.Process == "healthcheckers" && s.opts.NoCheck {
			continue
		}
		all = append(all, d)
	}
	return all
}

// named is the logger of one of keepalived's processes.
func (s *Supervisor) named(process string) *zap.Logger {
	if process == "" {
		return s.log
	}
	return s.log.Named(process)
}

// dump logs the configuration, as keepalived's processes do with -d.
func (s *Supervisor) dump(c *config.Config) {
	facts := machineFacts()
	for _, d := range s.documents(c) {
		var text strings.Builder
		if err := d.Write(&text, c, facts); err != nil {
			s.log.Error("dump the configuration", zap.Error(err))
			return
		}
		log := s.named(d.Process)
		for line := range strings.Lines(text.String()) {
			log.Info(strings.TrimSuffix(line, "\n"))
		}
	}
}

// printData writes the documents with the state of everything: SIGUSR1.
func (s *Supervisor) printData() {
	facts := s.facts()
	for _, d := range s.documents(s.config) {
		s.named(d.Process).Info(fmt.Sprintf("Printing %s data for process(%d) on signal", d.Subject(), os.Getpid()))
		s.write(s.dataFile(d), func(w io.Writer) error { return d.Write(w, s.config, facts) })
	}
}

// routes says that keepalived would have a VRRP process.
func (s *Supervisor) routes() bool {
	return slices.ContainsFunc(s.documents(s.config), func(d dump.Document) bool { return d.Process == "vrrp" })
}

// printStats writes the counters of all instances: SIGUSR2.
func (s *Supervisor) printStats() {
	if !s.routes() {
		return
	}
	s.named("vrrp").Info(fmt.Sprintf("Printing VRRP stats for process(%d) on signal", os.Getpid()))
	facts := s.facts()
	s.write(dumpFile(s.config.Global.Interface.StatsDumpFile, "", ".stats"), func(w io.Writer) error { return dump.Statistics(w, s.config, facts) })
}

// printJSON writes the instances for programs; no file when there are none.
func (s *Supervisor) printJSON() {
	if !s.routes() {
		return
	}
	s.named("vrrp").Info(fmt.Sprintf("Printing VRRP as json for process(%d) on signal", os.Getpid()))
	if len(s.config.Instances) == 0 {
		return
	}
	facts := s.facts()
	s.write(dumpFile(s.config.Global.Interface.JSONDumpFile, "", ".json"), func(w io.Writer) error { return dump.JSON(w, s.config, facts) })
}

// clearStats sets the counters to zero.
func (s *Supervisor) clearStats() {
	if s.router != nil {
		// Once the router has stopped there are none.
		_ = s.router.ClearStats()
	}
}

// dataFile is the file of a document. With data_use_instance its name tells
// the network namespace and the instance.
func (s *Supervisor) dataFile(d dump.Document) string {
	part := strings.TrimPrefix(d.Name, "keepalived")
	if own := s.config.Daemon.Name(); own != "" && s.config.Global.Interface.DataUseInstance {
		part += "." + own
	}
	return dumpFile(s.config.Global.Interface.StateDumpFile, part, ".data")
}

// dumpFile is where keepalived writes: its name, the part that tells one of
// several files, and the extension. A file that the configuration gives may be
// a folder, with a slash at its end, a name or both.
func dumpFile(given, part, extension string) string {
	dir, name := TempDir(), "keepalived"
	if folder, file := filepath.Split(given); given != "" {
		dir = cmp.Or(folder, dir)
		if file != "" {
			extension = filepath.Ext(file)
			name = strings.TrimSuffix(file, extension)
		}
	}
	return filepath.Join(dir, name+part+extension)
}

// TempDir is the folder of dumps and log files: TMPDIR when that is one, or
// /tmp.
func TempDir() string {
	dir := os.Getenv("TMPDIR")
	if info, err := os.Stat(dir); filepath.IsAbs(dir) && err == nil && info.IsDir() {
		return dir
	}
	return "/tmp"
}

// checkTempDir says in the log where files go that TMPDIR wants in a place that
// is none.
func (s *Supervisor) checkTempDir() {
	if given, dir := os.Getenv("TMPDIR"), TempDir(); given != "" && given != dir {
		s.log.Warn(fmt.Sprintf("TMPDIR is %s, which is no folder with an absolute path: %s is used", given, dir))
	}
}

// write makes a file appear at once: a reader never sees half of it. It is
// closed under its final name, which is what some wait for.
func (s *Supervisor) write(file string, content func(io.Writer) error) {
	mode := fs.FileMode(0o666 &^ s.opts.Umask(s.config))
	if err := replace(file, mode, content); err != nil {
		s.log.Error("write "+file, zap.Error(err))
	}
}

func replace(file string, mode fs.FileMode, content func(io.Writer) error) error {
	// Some delete whatever begins like the final name.
	temp, err := os.CreateTemp(filepath.Dir(file), ".lvsd-*")
	if err != nil {
		return err
	}
	defer temp.Close()
	if err = content(temp); err == nil {
		err = temp.Chmod(mode)
	}
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return err
	}
	return nil
}
