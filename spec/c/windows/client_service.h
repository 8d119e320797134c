/* client_service.h: real services for the clients, made of the program `service` in the folder above ours.
 * SPDX-License-Identifier: MIT */
#ifndef CLIENT_SERVICE_H
#define CLIENT_SERVICE_H

#include "client.h"

typedef struct client_service {
  SC_HANDLE manager, handle;
  const wchar_t *name;
} client_service;

/* Makes and starts one; arguments follow its name. depends_on: NULL, or another's name. It notes into the file `note`
 * when it starts and when it stops. */
client_service client_service_start(const wchar_t *name, const wchar_t *depends_on, const wchar_t *note,
                                    const wchar_t *arguments);
bool client_service_runs(const client_service *service);
DWORD client_service_pid(const client_service *service);
void client_service_end(client_service *service); /* stops and deletes it */

#endif
