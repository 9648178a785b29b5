// Package lvs holds the end-to-end tests that need IPVS: three clusters from
// the field, with real traffic, on the daemon under test. Where the kernel has
// no IPVS they run in the rig's virtual machine. All is in the test files.
package lvs
