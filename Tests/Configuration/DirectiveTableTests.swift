import Testing

@testable import Configuration

@Suite struct DirectiveTableTests {
    @Test("No name stands in the table twice")
    func namesAreUnique() {
        #expect(Set(DirectiveTable.names).count == DirectiveTable.names.count)
    }

    @Test("Every directive of mosquitto.conf(5), version 2.0, is known", arguments: mosquittoNames)
    func mosquittoIsKnown(_ name: String) {
        #expect(DirectiveTable.row(named: name) != nil)
    }

    @Test("Options of a plugin are known by their beginning")
    func families() {
        #expect(DirectiveTable.row(named: "auth_opt_host")?.name == "auth_opt_*")
        #expect(DirectiveTable.row(named: "plugin_opt_x")?.name == "plugin_opt_*")
        #expect(DirectiveTable.row(named: "auth_option") == nil)
    }

    /// Later directives with these names keep somebody out: a gateway without them must not start.
    @Test(
        "What keeps somebody out is an error until it works",
        arguments: [
            "password_file", "psk_file", "psk_hint", "cafile", "capath", "certfile", "keyfile",
            "require_certificate", "use_identity_as_username", "use_subject_as_username", "crlfile", "auth_plugin",
            "plugin", "mount_point", "bind_interface", "clientid_prefixes", "use_username_as_clientid",
        ])
    func securityIsAnError(_ name: String) {
        let outcome = MemorySource("listener 1883 127.0.0.1\n\(name) true\n").outcome
        #expect(outcome.configuration == nil)
        #expect(outcome.diagnostics.contains { $0.severity == .error && $0.location.line == 2 })
    }

    @Test("Every number is taken at the ends of its range and refused beyond them", arguments: DirectiveTable.rows)
    func numberRanges(_ row: Directive) {
        guard case .active(.number(let range, _, _)) = row.status else { return }
        for (number, isRight) in [
            (range.lowerBound, true), (range.upperBound, true), (range.lowerBound - 1, false),
            (range.upperBound + 1, false), (range.upperBound * 10 + 9, false),
        ] {
            let outcome = MemorySource(section(for: row) + "\(row.name) \(number)\n").outcome
            #expect((outcome.count(of: .error) == 0) == isRight, "\(row.name) \(number): \(outcome.diagnostics)")
        }
    }

    private func section(for row: Directive) -> String {
        let listener = "listener 1885 127.0.0.1\n"
        if case .deviceListener = row.scope { return listener + "protocol mqttsn\n" }
        if case .webSocketListener = row.scope { return listener + "protocol websockets\n" }
        return listener
    }

    private static let mosquittoNames = """
        acl_file address addresses allow_anonymous allow_duplicate_messages allow_zero_length_clientid auth_opt_x \
        auth_plugin auth_plugin_deny_special_chars auto_id_prefix autosave_interval autosave_on_changes bind_address \
        bind_interface bridge_alpn bridge_attempt_unsubscribe bridge_bind_address bridge_cafile bridge_capath \
        bridge_certfile bridge_identity bridge_insecure bridge_keyfile bridge_max_packet_size bridge_outgoing_retain \
        bridge_protocol_version bridge_psk bridge_require_ocsp bridge_tls_version cafile capath certfile \
        check_retain_source ciphers ciphers_tls1.3 cleansession clientid clientid_prefixes connection \
        connection_messages crlfile dhparamfile http_dir idle_timeout include_dir keepalive_interval keyfile listener \
        local_cleansession local_clientid local_password local_username log_dest log_facility log_timestamp \
        log_timestamp_format log_type max_connections max_inflight_bytes max_inflight_messages max_keepalive \
        max_packet_size max_qos max_queued_bytes max_queued_messages max_topic_alias maximum_qos memory_limit \
        message_size_limit mount_point notification_topic notifications notifications_local_only password \
        password_file per_listener_settings persistence persistence_file persistence_location \
        persistent_client_expiration pid_file plugin plugin_opt_x port protocol psk_file psk_hint queue_qos0_messages \
        remote_clientid remote_password remote_username require_certificate restart_timeout retain_available \
        retained_persistence retry_interval round_robin set_tcp_nodelay socket_domain start_type sys_interval \
        threshold tls_engine tls_engine_kpass_sha1 tls_keyform tls_version topic try_private upgrade_outgoing_qos \
        use_identity_as_username use_subject_as_username use_username_as_clientid user username \
        websockets_headers_size websockets_log_level
        """.split(separator: " ").map { String($0) }
}
