"""The names of columns and the indicators of money in and out, as banks of several languages write them.

Names of a role are in order of preference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMES: Final[Mapping[str, str]] = {
    "date": "date; transaction date; booking date; posting date; posted date; post date; buchungstag; "
    "buchungsdatum; datum; datum transactie; transactiondate; data; data operazione; data operacji; "
    "data transakcji; fecha; fecha operacion; date operation; date de l operation; data contabile; "
    "bokforingsdag; bogføringsdato; dato; kuupäev; completed date; trans date; details posting date; "
    "txn date",
    "amount": "amount; transaction amount; betrag; betrag eur; umsatz; bedrag; bedrag eur; montant; "
    "importe; importo; kwota; kwota operacji; belopp; beløb; beløp; summa; amount eur; amount usd; "
    "amount gbp; trnamt; valor",
    "debit": "debit; debit amount; debits; withdrawal; withdrawals; withdrawal amount; money out; paid "
    "out; soll; belastung; addebiti; cargo; cargos; débit; debito; wypłaty; uitgaven; ausgaben; ut; "
    "obciążenia",
    "credit": "credit; credit amount; credits; deposit; deposits; deposit amount; money in; paid in; "
    "haben; gutschrift; accrediti; abono; abonos; crédit; credito; wpłaty; inkomsten; einnahmen; in; "
    "uznania",
    "indicator": "indicator; d k; d c; dc; dk; s h; cr dr; dr cr; cd; debit credit; credit debit; credit "
    "debit indicator; af bij; soll haben; deebet kreedit; deebet kreedit d c; transaction sign; debit "
    "credit indicator",
    "currency": "currency; currency code; ccy; währung; wahrung; valuta; munt; devise; divisa; moneda; "
    "moeda; waluta; valuuta; waehrung",
    "payee": "payee; name; merchant; merchant name; counterparty; counterparty name; beneficiary; "
    "recipient; empfänger; begünstigter zahlungspflichtiger; auftraggeber empfänger; naam; naam "
    "tegenpartij; naam omschrijving; tegenpartij; bénéficiaire; beneficiario; kontrahent; mottagare; "
    "saaja maksja; beguenstigter zahlungspflichtiger; begünstigter auftraggeber; partner name; "
    "supplierfound; naam begunstigde",
    "description": "description; verwendungszweck; omschrijving; libellé; label; memo; narrative; payment "
    "reference; transaction description; details; buchungstext; reference; text; note; notes; "
    "mededelingen; libelle; concepto; descrizione; causale; opis; opis operacji; tytuł; selgitus; "
    "descrição; transaction details; particulars; omschrijving 1",
    "id": "id; transaction id; transaction number; transaction reference; reference number; fitid; "
    "transactionid; referenz; archiveringstunnus; arhiveerimistunnus; unique id; entry id; "
    "identificador",
    "balance": "balance; running balance; balance after; account balance; saldo; saldo nach buchung; "
    "saldo na trn; solde; saldo po operacji; kontostand; jääk",
}
MONEY_OUT: Final = "d; db; dr; dbit; debit; debet; deb; s; soll; af; out; withdrawal; wd; -; dare"
MONEY_IN: Final = "k; c; cr; cred; crdt; credit; kredit; kreedit; h; haben; bij; in; deposit; dep; +; avere"
