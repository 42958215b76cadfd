// A TLS client in memory, for tests: it does what a server must bear, and no more.
#ifndef CSECURE_CLIENT_H
#define CSECURE_CLIENT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct secure_client secure_client;

/// What the client is to do; NULL and 0 for the usual.
typedef struct secure_client_options {
    /// As on the wire: 0x0301 to 0x0304.
    int version_min, version_max;
    const char *ciphers;
    /// One protocol (ALPN).
    const char *protocol;
    const char *server_name;
    const char *certificate_file, *key_file;
    /// Whom the server's certificate must be from; NULL: it is not looked at.
    const char *authority_file;
    const char *identity;
    const uint8_t *key;
    size_t key_count;
} secure_client_options;

/// NULL if the options make no client.
secure_client *secure_client_new(const secure_client_options *options);
void secure_client_free(secure_client *client);
/// Goes on with the handshake: 1 when it is done, 0 if more must come, negative if it failed.
int secure_client_shake_hands(secure_client *client);
/// What the server sent.
void secure_client_feed(secure_client *client, const void *bytes, size_t count);
/// What there is for the server; how many bytes.
size_t secure_client_take(secure_client *client, void *room, size_t count);
bool secure_client_write(secure_client *client, const void *bytes, size_t count);
/// Bytes that were read; 0 if there are none, -1 at the server's close_notify, -2 for a fault.
long secure_client_read(secure_client *client, void *room, size_t count);
/// Asks for new keys (TLS 1.3).
bool secure_client_update_keys(secure_client *client);
/// Asks for another handshake (TLS 1.2): the ClientHello is written at the next call.
bool secure_client_renegotiate(secure_client *client);
/// close_notify.
void secure_client_close(secure_client *client);
/// `TLSv1.3`.
const char *secure_client_version(const secure_client *client);
/// The protocol that was agreed on (ALPN); its length.
size_t secure_client_protocol(const secure_client *client, char *room, size_t count);
/// The common name of the server's certificate; empty for none.
void secure_client_server(const secure_client *client, char *room, size_t count);
/// Whether the server has sent a session that could be resumed.
bool secure_client_has_ticket(const secure_client *client);
#endif
