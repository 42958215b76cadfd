#include "CSecureClient.h"

#include <limits.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct secure_client {
    SSL_CTX *context;
    SSL *session;
    /// From the server, and to it.
    BIO *input, *output;
    char identity[256];
    uint8_t key[256];
    size_t key_count;
    int tickets;
};

static unsigned show_key(
    SSL *session, const char *hint, char *identity, unsigned identity_room, unsigned char *key, unsigned room) {
    (void)hint;
    secure_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    if (strlen(client->identity) >= identity_room || client->key_count > room) return 0;
    strcpy(identity, client->identity);
    memcpy(key, client->key, client->key_count);
    return (unsigned)client->key_count;
}

static int note_ticket(SSL *session, SSL_SESSION *ticket) {
    secure_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(session));
    if (SSL_SESSION_is_resumable(ticket)) client->tickets += 1;
    return 0;
}

static bool set_up(secure_client *client, const secure_client_options *options) {
    SSL_CTX *context = client->context;
    SSL_CTX_set_app_data(context, client);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context, note_ticket);
    SSL_CTX_set_options(context, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
    if (SSL_CTX_set_min_proto_version(context, options->version_min) != 1) return false;
    if (SSL_CTX_set_max_proto_version(context, options->version_max) != 1) return false;
    if (options->ciphers != NULL && SSL_CTX_set_cipher_list(context, options->ciphers) != 1) return false;
    if (options->authority_file != NULL) {
        if (SSL_CTX_load_verify_file(context, options->authority_file) != 1) return false;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    if (options->certificate_file != NULL
        && (SSL_CTX_use_certificate_chain_file(context, options->certificate_file) != 1
            || SSL_CTX_use_PrivateKey_file(context, options->key_file, SSL_FILETYPE_PEM) != 1))
        return false;
    if (options->identity != NULL) {
        if (strlen(options->identity) >= sizeof client->identity || options->key_count > sizeof client->key)
            return false;
        strcpy(client->identity, options->identity);
        memcpy(client->key, options->key, options->key_count);
        client->key_count = options->key_count;
        SSL_CTX_set_psk_client_callback(context, show_key);
    }
    client->session = SSL_new(context);
    client->input = BIO_new(BIO_s_mem());
    client->output = BIO_new(BIO_s_mem());
    if (client->session == NULL || client->input == NULL || client->output == NULL) return false;
    SSL_set_bio(client->session, client->input, client->output);
    SSL_set_connect_state(client->session);
    if (options->server_name != NULL && SSL_set_tlsext_host_name(client->session, options->server_name) != 1)
        return false;
    if (options->protocol == NULL) return true;
    uint8_t wire[256];
    size_t count = strlen(options->protocol);
    wire[0] = (uint8_t)count;
    memcpy(wire + 1, options->protocol, count);
    return SSL_set_alpn_protos(client->session, wire, (unsigned)count + 1) == 0;
}

secure_client *secure_client_new(const secure_client_options *options) {
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) return NULL;
    ERR_clear_error();
    secure_client *client = OPENSSL_zalloc(sizeof *client);
    if (client == NULL) return NULL;
    client->context = SSL_CTX_new(TLS_client_method());
    if (client->context != NULL && set_up(client, options)) return client;
    secure_client_free(client);
    return NULL;
}

void secure_client_free(secure_client *client) {
    if (client == NULL) return;
    SSL_free(client->session);
    SSL_CTX_free(client->context);
    OPENSSL_free(client);
}

int secure_client_shake_hands(secure_client *client) {
    ERR_clear_error();
    int result = SSL_do_handshake(client->session);
    if (result == 1) return 1;
    int error = SSL_get_error(client->session, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

void secure_client_feed(secure_client *client, const void *bytes, size_t count) {
    if (count > 0 && count <= INT_MAX) BIO_write(client->input, bytes, (int)count);
}

size_t secure_client_take(secure_client *client, void *room, size_t count) {
    int taken = BIO_read(client->output, room, count > INT_MAX ? INT_MAX : (int)count);
    return taken > 0 ? (size_t)taken : 0;
}

bool secure_client_write(secure_client *client, const void *bytes, size_t count) {
    size_t written = 0;
    ERR_clear_error();
    return SSL_write_ex(client->session, bytes, count, &written) == 1 && written == count;
}

long secure_client_read(secure_client *client, void *room, size_t count) {
    size_t taken = 0;
    ERR_clear_error();
    int result = SSL_read_ex(client->session, room, count, &taken);
    if (result == 1) return (long)taken;
    switch (SSL_get_error(client->session, result)) {
    case SSL_ERROR_WANT_READ: return 0;
    case SSL_ERROR_ZERO_RETURN: return -1;
    default: return -2;
    }
}

bool secure_client_update_keys(secure_client *client) {
    ERR_clear_error();
    return SSL_key_update(client->session, SSL_KEY_UPDATE_REQUESTED) == 1 && secure_client_shake_hands(client) >= 0;
}

bool secure_client_renegotiate(secure_client *client) {
    ERR_clear_error();
    return SSL_renegotiate(client->session) == 1 && secure_client_shake_hands(client) >= 0;
}

void secure_client_close(secure_client *client) {
    ERR_clear_error();
    SSL_shutdown(client->session);
}

const char *secure_client_version(const secure_client *client) {
    return SSL_get_version(client->session);
}

size_t secure_client_protocol(const secure_client *client, char *room, size_t count) {
    const unsigned char *name = NULL;
    unsigned length = 0;
    SSL_get0_alpn_selected(client->session, &name, &length);
    if (length == 0 || length > count) return 0;
    memcpy(room, name, length);
    return length;
}

void secure_client_server(const secure_client *client, char *room, size_t count) {
    X509 *certificate = SSL_get0_peer_certificate(client->session);
    room[0] = 0;
    if (certificate != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, room, (int)count);
}

bool secure_client_has_ticket(const secure_client *client) {
    return client->tickets > 0;
}
