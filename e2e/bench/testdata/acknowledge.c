/*
 * Acknowledges what keepalived says to the kernel's IPVS through libnl, so that
 * its checkers run where the kernel has none. Loaded with LD_PRELOAD.
 */
#include <stddef.h>

typedef int (*callback)(void *message, void *arg);

/* enum nl_cb_type of libnl */
enum { FINISH = 1, ACK = 4, TYPES = 11 };

static callback callbacks[TYPES];
static void *arguments[TYPES];

int nl_socket_modify_cb(void *socket, int type, int kind, callback function, void *argument)
{
	if (type >= 0 && type < TYPES) {
		callbacks[type] = function;
		arguments[type] = argument;
	}
	return 0;
}

int genl_connect(void *socket) { return 0; }

int genl_ctrl_resolve(void *socket, const char *name) { return 1; }

int nl_send_auto(void *socket, void *message) { return 1; }

int nl_recvmsgs_default(void *socket)
{
	if (callbacks[FINISH])
		callbacks[FINISH](NULL, arguments[FINISH]);
	if (callbacks[ACK])
		callbacks[ACK](NULL, arguments[ACK]);
	return 0;
}
