// Package filewatch reads the number in a file again whenever the file was
// written, moved, linked or deleted.
//
//	inotify --> Run --wakes--> Follow --reads the file--> report
//
// It watches folders, not files, so that a file may come and go, and reads a
// file once the writer has closed it: between the truncation and the write of
// `echo 5 > file` it is empty, which would be the number 0. That is also why
// inotify is asked here and not through fsnotify, which does not tell about
// IN_CLOSE_WRITE.
package filewatch
