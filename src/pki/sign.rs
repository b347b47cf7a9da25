//! Makes keys, certificates and lists of revoked ones. Knows no files; its only effect is that it takes random numbers.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SanType, SerialNumber,
};
use time::OffsetDateTime;

use crate::pki::PkiError;
use crate::pki::index::{Entry, Kind};
use crate::pki::names::AltName;

/// A key and a certificate, both in the form PEM.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// Clocks of hosts go before or behind by less than this.
const SKEW: i64 = 3600;

fn cannot(what: &'static str) -> impl FnOnce(rcgen::Error) -> PkiError {
    move |source| PkiError::Sign { what, source }
}

fn at(seconds: i64) -> OffsetDateTime {
    // Beyond the year 9999 there is nothing to sign for.
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A new key.
pub fn key() -> Result<String, PkiError> {
    KeyPair::generate().map(|key| key.serialize_pem()).map_err(cannot("make a key"))
}

/// A serial number that nobody can foresee, in hex.
pub fn serial() -> Result<String, PkiError> {
    let mut bytes = [0_u8; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| PkiError::Random)?;
    // Positive, and as long as it looks.
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn number(serial: &str) -> SerialNumber {
    let bytes: Vec<u8> = (0..serial.len() / 2)
        .filter_map(|at| u8::from_str_radix(serial.get(2 * at..2 * at + 2)?, 16).ok())
        .collect();
    SerialNumber::from_slice(&bytes)
}

fn named(name: &str, (from, until): (i64, i64), serial: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = at(from - SKEW);
    params.not_after = at(until);
    params.serial_number = Some(number(serial));
    params
}

/// An authority of that name.
pub fn authority(name: &str, valid: (i64, i64)) -> Result<Signed, PkiError> {
    let key = KeyPair::generate().map_err(cannot("make a key"))?;
    let mut params = named(name, valid, &serial()?);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(cannot("sign the authority"))?;
    Ok(Signed { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn issuer(authority: &Signed) -> Result<Issuer<'static, KeyPair>, PkiError> {
    let key = KeyPair::from_pem(&authority.key).map_err(cannot("use the authority's key"))?;
    Issuer::from_ca_cert_pem(&authority.certificate, key).map_err(cannot("use the authority's certificate"))
}

/// Until when a certificate is valid, in seconds since 1970; nothing is valid by one that makes no sense.
pub fn end(certificate: &str) -> i64 {
    let pem = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).ok();
    let parsed = pem.as_ref().and_then(|(_, pem)| pem.parse_x509().ok());
    parsed.map_or(i64::MIN, |certificate| certificate.validity().not_after.timestamp())
}

/// A certificate for that key, as the entry says.
pub fn certificate(authority: &Signed, key: &str, entry: &Entry) -> Result<String, PkiError> {
    let mut params = named(entry.name.as_str(), (entry.from, entry.until), &entry.serial);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match entry.kind {
        Kind::Host => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Kind::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Kind::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    };
    let own = AltName::Dns(entry.name.to_string());
    for also in std::iter::once(&own).chain(&entry.also) {
        params.subject_alt_names.push(match also {
            AltName::Dns(name) => {
                let name = name.as_str().try_into().map_err(cannot("write that name"))?;
                SanType::DnsName(name)
            }
            AltName::Ip(address) => SanType::IpAddress(*address),
        });
    }
    let key = KeyPair::from_pem(key).map_err(cannot("use the key"))?;
    let signed = params.signed_by(&key, &issuer(authority)?).map_err(cannot("sign the certificate"))?;
    Ok(signed.pem())
}

/// The list of revoked certificates, the `number`th, which counts from `now` until `until`.
pub fn revoked<'a>(
    authority: &Signed,
    entries: impl Iterator<Item = &'a Entry>,
    number_of: u64,
    (now, until): (i64, i64),
) -> Result<String, PkiError> {
    let revoked_certs = entries.filter_map(|entry| {
        Some(RevokedCertParams {
            serial_number: number(&entry.serial),
            revocation_time: at(entry.revoked?),
            reason_code: Some(RevocationReason::Unspecified),
            invalidity_date: None,
        })
    });
    let params = CertificateRevocationListParams {
        this_update: at(now - SKEW),
        next_update: at(until),
        crl_number: SerialNumber::from(number_of),
        issuing_distribution_point: None,
        revoked_certs: revoked_certs.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list =
        params.signed_by(&issuer(authority)?).map_err(cannot("sign the list of revoked certificates"))?;
    list.pem().map_err(cannot("write the list of revoked certificates"))
}
