// Package clients holds the tests of what stands around keepalived: exporters,
// monitoring plugins and deployers that read its files, its words and its exit
// statuses. Each script in testdata does exactly what one of them does, once
// with keepalived and once with lvsd at /usr/sbin/keepalived, and prints what
// the client would have learned. Both have to tell the same.
package clients
