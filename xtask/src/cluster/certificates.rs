//! Who is who in a test cluster: an authority, the API server, an administrator.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::Failure;

/// Writes all keys and certificates into `directory`, which is made last, so that it is whole where
/// it is.
pub(super) fn write(directory: &Path) -> Result<(), Failure> {
    let unfinished = directory.with_extension("unfinished");
    fs::create_dir_all(&unfinished).map_err(|error| Failure::file(&unfinished, error))?;
    let files = make().map_err(Failure::Certificates)?;
    for (name, text) in files {
        let path = unfinished.join(name);
        fs::write(&path, text).map_err(|error| Failure::file(&path, error))?;
    }
    fs::rename(&unfinished, directory).map_err(|error| Failure::file(directory, error))
}

/// Every file and its text.
fn make() -> Result<Vec<(&'static str, String)>, rcgen::Error> {
    let mut authority = named("test-ca");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let authority_key = KeyPair::generate()?;
    let authority_text = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let mut server = named("kube-apiserver");
    server.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    server.subject_alt_names = vec![
        SanType::IpAddress([127, 0, 0, 1].into()),
        SanType::IpAddress([10, 96, 0, 1].into()),
        SanType::DnsName("localhost".try_into()?),
        SanType::DnsName("kubernetes.default.svc".try_into()?),
    ];
    let server_key = KeyPair::generate()?;

    // The API server takes the organization of a client's certificate for its group; this one may
    // do everything.
    let mut admin = named("admin");
    admin.distinguished_name.push(DnType::OrganizationName, "system:masters");
    admin.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let admin_key = KeyPair::generate()?;

    // The API server signs service accounts' tokens with the private key and checks them with the
    // public one; from a PKCS #8 file it would not read the public half.
    let service_account_key = KeyPair::generate()?;
    Ok(vec![
        ("ca.crt", authority_text),
        ("apiserver.crt", server.signed_by(&server_key, &issuer)?.pem()),
        ("apiserver.key", server_key.serialize_pem()),
        ("admin.crt", admin.signed_by(&admin_key, &issuer)?.pem()),
        ("admin.key", admin_key.serialize_pem()),
        ("service-account.key", service_account_key.serialize_pem()),
        ("service-account.pub", service_account_key.public_key_pem()),
    ])
}

/// A certificate for `name`, valid for longer than any test.
fn named(name: &str) -> CertificateParams {
    let mut certificate = CertificateParams::default();
    certificate.distinguished_name = rcgen::DistinguishedName::new();
    certificate.distinguished_name.push(DnType::CommonName, name);
    certificate.use_authority_key_identifier_extension = true;
    certificate
}
