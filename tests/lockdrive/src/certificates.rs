//! Certificates for many hosts at once, signed by an authority of `disco pki`, which keeps no note of them.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};

use super::client::Trouble;

#[derive(Debug, Args)]
pub struct CertificatesArgs {
    /// The authority's folder
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// A file with the hosts' names, one a line
    #[arg(long, value_name = "FILE")]
    hosts: PathBuf,
    /// Where NAME.pem and NAME.key go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Makes them all; one key serves for all of them, for keys are not what is measured.
pub fn make(args: &CertificatesArgs) -> Result<bool, Trouble> {
    let authority = KeyPair::from_pem(&fs::read_to_string(args.ca.join("ca.key"))?)?;
    let issuer = Issuer::from_ca_cert_pem(&fs::read_to_string(args.ca.join("ca.pem"))?, authority)?;
    let key = KeyPair::generate()?;
    for host in fs::read_to_string(&args.hosts)?.lines() {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, host);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        fs::write(args.out.join(format!("{host}.pem")), params.signed_by(&key, &issuer)?.pem())?;
        fs::write(args.out.join(format!("{host}.key")), key.serialize_pem())?;
    }
    Ok(true)
}
