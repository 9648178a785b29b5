// Package migrate looks at a machine that runs keepalived: how it is started,
// with which options, and who else reads its files. [Look] gathers that from
// the files below a root, /proc among them, and changes nothing. What of it
// would be different with lvsd is for the caller to say, who knows the options
// and the configuration.
package migrate
