// Package linkbeat asks drivers whether a link has a beat: linkbeat_interfaces
// and linkbeat_use_polling of keepalived.conf(5). It is for drivers that do not
// tell the kernel, which tells everybody else through netlink.
package linkbeat
