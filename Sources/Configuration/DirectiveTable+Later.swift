extension DirectiveTable {
    private static let noUsers =
        "it comes with a later version; until then name users with scram_file, or keep the listener on 127.0.0.1"
    private static let noPlugins =
        "the gateway loads no plugins; acl_file has access rules"
    private static let atOnce = "what has to survive is written at once, not from time to time"

    /// What would make the gateway safer than it is: without it the gateway must not start, for it would be open
    /// where the operator believes it closed.
    static let laterSecurityRows: [Directive] = [
        .later(.error, "use_username_as_clientid", in: .listener, unless: "false", noUsers),
        .never(.error, "tls_engine", in: .listener, "OpenSSL has given engines up: keys are files"),
        .never(.error, "tls_engine_kpass_sha1", in: .listener, "OpenSSL has given engines up: keys are files"),
        .never(.error, "tls_keyform", in: .listener, unless: "pem", "keys are PEM files"),
        .later(.error, "mount_point", in: .listener, "without it clients would share topics that you keep apart"),
        .later(.error, "client_id_prefix", in: .listener, "without it clients would share names that you keep apart"),
        .later(.error, "bind_interface", in: .listener, "name the interface's address: listener PORT ADDRESS"),
        .later(.error, "accept_protocol_versions", in: .listener, "versions 3.1, 3.1.1 and 5.0 are all accepted"),
        .later(.error, "enable_proxy_protocol", in: .listener, "connect to the listener directly"),
        .later(.error, "proxy_protocol_v2_require_tls", in: .listener, unless: "false", "connect directly"),
        .never(.error, "clientid_prefixes", "mosquitto has given it up too; write an acl_file"),
        .never(.error, "auth_plugin", in: .security, noPlugins),
        .never(.error, "auth_plugin_deny_special_chars", in: .security, unless: "true", noPlugins),
        .never(.error, "auth_opt_*", in: .security, noPlugins),
        .never(.error, "plugin", in: .security, noPlugins),
        .never(.error, "global_plugin", in: .security, noPlugins),
        .never(.error, "plugin_load", in: .security, noPlugins),
        .never(.error, "plugin_use", in: .security, noPlugins),
        .never(.error, "plugin_opt_*", in: .security, noPlugins),
    ]

    /// What the gateway can run without, with the operator told what holds instead.
    static let laterRows: [Directive] = [
        .never(.warning, "persistence_file", "the database in persistence_location is called dormouse.db"),
        .never(.warning, "autosave_interval", atOnce),
        .never(.warning, "autosave_on_changes", unless: "false", atOnce),
        .never(.warning, "dhparamfile", in: .listener, "OpenSSL chooses parameters that fit the certificate"),
        .later(.warning, "log_facility", "there is no syslog yet; lines go to where log_dest says"),
        .later(.warning, "log_timestamp_format", "times are written in their one fixed form"),
        .later(.warning, "max_inflight_bytes", unless: "0", "max_inflight_messages alone bounds what is in flight"),
        .later(.warning, "memory_limit", unless: "0", "the limits of this file bound each thing that grows"),
        .later(.warning, "retain_expiry_interval", "retained messages stay until they are replaced or expire"),
        .later(
            .warning, "check_retain_source", unless: "true", "who published a retained message is always checked"),
        .later(.warning, "http_dir", in: .listener, "no files are served: let a web server have them"),
        .later(.warning, "http_api", in: .listener, "there is no HTTP interface yet"),
        .never(.warning, "websockets_headers_size", "a handshake may have 8192 bytes and 64 header fields"),
        .never(.warning, "websockets_log_level", "write log_type websockets"),
        .never(.warning, "packet_buffer_size", "buffers grow as they need; write_buffer_bytes bounds them"),
        .never(.warning, "enable_control_api", unless: "false", "there are no $CONTROL topics"),
        .never(.warning, "global_max_clients", "write max_clients"),
        .never(.warning, "global_max_connections", "write max_clients"),
        .never(
            .warning, "allow_duplicate_messages", unless: "true", "mosquitto has given it up too; leave it out"),
        .never(
            .warning, "upgrade_outgoing_qos", unless: "false",
            "MQTT forbids it: a message arrives at the lower of the publisher's and the subscriber's QoS"),
    ]

    private static let noBridge = "bridges come with a later version"

    /// The directives of a `connection` section. The section itself is the error; what stands in it only needs to
    /// be named.
    static let bridgeRows: [Directive] =
        [
            .later(
                .error, "connection",
                noBridge + "; remove the section, or let mosquitto bridge to this gateway's listener")
        ]
        + [
            "address", "addresses", "bridge_alpn", "bridge_attempt_unsubscribe", "bridge_bind_address",
            "bridge_cafile", "bridge_capath", "bridge_certfile", "bridge_ciphers", "bridge_ciphers_tls1.3",
            "bridge_identity", "bridge_insecure", "bridge_keyfile", "bridge_max_packet_size",
            "bridge_max_topic_alias", "bridge_outgoing_retain", "bridge_protocol_version", "bridge_psk",
            "bridge_receive_maximum", "bridge_reload_type", "bridge_require_ocsp", "bridge_session_expiry_interval",
            "bridge_tcp_keepalive", "bridge_tcp_user_timeout", "bridge_tls_use_os_certs", "bridge_tls_version",
            "cleansession", "clientid", "idle_timeout", "keepalive_interval", "local_cleansession",
            "local_clientid", "local_password", "local_username", "notification_topic", "notifications",
            "notifications_local_only", "password", "remote_clientid", "remote_password", "remote_username",
            "restart_timeout", "round_robin", "start_type", "threshold", "topic", "try_private", "username",
        ].map { .later(.warning, $0, in: .bridge, noBridge) }
}
